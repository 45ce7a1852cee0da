import { describe, expect, test } from 'vitest';
import { compileGuard, defaultDecodeLimits, type DecodeLimits } from '../../src/codec/avro-guard.ts';
import { parseSchema } from '../../src/codec/schema-model.ts';
import { concat, double, long, sizedBlock, string, yes, zero } from './avro-bytes.ts';
import { refusalOf } from './refusal.ts';

function verdict(schema: unknown, bytes: Buffer, limits: Partial<DecodeLimits> = {}): unknown {
  const guard = compileGuard(parseSchema(schema), { ...defaultDecodeLimits, ...limits });
  const refusal = refusalOf(() => guard(bytes, 0));
  return refusal === undefined ? 'accepted' : `${refusal.code} ${String(refusal.details['reason'])}`;
}

const array = (items: unknown) => ({ type: 'array', items });
const map = (values: unknown) => ({ type: 'map', values });
const record = (...types: readonly unknown[]) => ({
  type: 'record', name: 'R', fields: types.map((type, index) => ({ name: `f${String(index)}`, type })),
});
const list = { type: 'record', name: 'List', fields: [{ name: 'next', type: ['null', 'List'] }] };
const hex = (text: string) => Buffer.from(text, 'hex');
const nothing = Buffer.alloc(0);
const nulls = Array.from({ length: 900 }, () => 'null');

describe('accepted', () => {
  test.each<[string, unknown, Buffer]>([
    ['null', 'null', nothing],
    ['false and true', record('boolean', 'boolean'), hex('0001')],
    ['the largest int', 'int', long(2 ** 31 - 1)],
    ['the smallest int', 'int', long(-(2 ** 31))],
    ['the largest long', 'long', long(2n ** 63n - 1n)],
    ['the smallest long', 'long', long(-(2n ** 63n))],
    ['an int in more bytes than it needs', 'int', hex('828080808000')],
    ['the largest timestamp', { type: 'long', logicalType: 'timestamp-millis' }, long(2 ** 52 - 1)],
    ['float and double', record('float', 'double'), Buffer.alloc(12, 0xff)],
    ['fixed', { type: 'fixed', name: 'F', size: 3 }, Buffer.alloc(3)],
    ['empty bytes', 'bytes', zero],
    ['a long string beyond ASCII', 'string', string('é'.repeat(500))],
    ['a string whose last character is beyond ASCII', 'string', string(`${'a'.repeat(63)}😀`)],
    ['the last symbol', { type: 'enum', name: 'E', symbols: ['A', 'B'] }, long(1)],
    ['the last branch', ['null', 'boolean'], concat(long(1), yes)],
    ['several blocks, with and without size', array('int'), concat(long(1), long(7), sizedBlock(2, concat(long(8), long(9))), zero)],
    ['a map', map('double'), concat(sizedBlock(1, concat(string('a'), double(1))), zero)],
    ['as many nulls as are allowed', array('null'), concat(long(100_000), zero)],
    ['as many entries as are allowed', map('null'), concat(long(25_000), Buffer.alloc(25_001))],
    ['as deep as is allowed', list, concat(...Array.from({ length: 63 }, () => long(1)), zero)],
  ])('%s', (_, schema, bytes) => {
    expect(verdict(schema, bytes)).toBe('accepted');
  });
});

describe('malformed', () => {
  test.each<[string, unknown, Buffer, string]>([
    ['nothing, where a value should be', 'int', nothing, 'truncated'],
    ['a varint that does not end', 'long', hex('ff'), 'truncated'],
    ['no boolean', 'boolean', nothing, 'truncated'],
    ['half a double', 'double', Buffer.alloc(7), 'truncated'],
    ['half a fixed', { type: 'fixed', name: 'F', size: 3 }, Buffer.alloc(2), 'truncated'],
    ['a string longer than the message', 'string', concat(long(6), Buffer.from('short')), 'truncated'],
    ['a string of 2^62 bytes', 'string', long(2n ** 62n), 'truncated'],
    ['bytes of 2^31 bytes', 'bytes', concat(long(2 ** 31), Buffer.alloc(8)), 'truncated'],
    ['more after the value', 'int', concat(long(1), zero), 'trailing-bytes'],
    ['anything after nothing', 'null', zero, 'trailing-bytes'],
    ['a varint of 11 bytes', 'long', hex('8080808080808080808000'), 'varint-too-long'],
    ['an endless varint', 'long', Buffer.alloc(1000, 0xff), 'varint-too-long'],
    ['a varint of 65 bits', 'long', long(2n ** 63n), 'long-overflow'],
    ['an int of 33 bits', 'int', long(2 ** 31), 'int-overflow'],
    ['a negative int of 33 bits', 'int', long(-(2 ** 31) - 1), 'int-overflow'],
    ['a timestamp out of range', { type: 'long', logicalType: 'timestamp-millis' }, long(2 ** 52), 'timestamp-out-of-range'],
    ['a negative one', { type: 'long', logicalType: 'timestamp-millis' }, long(-(2n ** 63n)), 'timestamp-out-of-range'],
    ['a negative length', 'string', long(-1), 'negative-length'],
    ['the most negative length', 'bytes', long(-(2n ** 63n)), 'negative-length'],
    ['2 for a boolean', 'boolean', hex('02'), 'invalid-boolean'],
    ['a continuation byte alone', 'string', concat(long(1), hex('80')), 'invalid-utf8'],
    ['half a surrogate pair', 'string', concat(long(3), hex('eda080')), 'invalid-utf8'],
    ['a character cut at the end of the string', map('null'), concat(long(1), long(1), hex('c3'), zero), 'invalid-utf8'],
    ['an overlong character late in a long string', 'string', string(concat(Buffer.alloc(5000, 'a'), hex('c080'))), 'invalid-utf8'],
    ['a symbol too far', { type: 'enum', name: 'E', symbols: ['A'] }, long(1), 'enum-index'],
    ['a symbol before the first', { type: 'enum', name: 'E', symbols: ['A'] }, long(-1), 'enum-index'],
    ['a branch too far', ['null', 'int'], long(2), 'union-index'],
    ['a branch before the first', ['null', 'int'], long(-1), 'union-index'],
    ['the branch 2^62', ['null', 'int'], long(2n ** 62n), 'union-index'],
    ['a branch of a union without any', [], zero, 'union-index'],
    ['a block that is longer than it says', array('int'), concat(long(-1), long(1), long(1000), zero), 'block-size-mismatch'],
    ['a block that is shorter than it says', array('int'), concat(long(-1), long(3), long(1), zero, zero), 'block-size-mismatch'],
    ['a block of negative size', array('int'), concat(long(-1), long(-1), long(1), zero), 'negative-length'],
    ['a block larger than the message', array('int'), concat(long(-1), long(2 ** 40), long(1), zero), 'truncated'],
    ['an array that does not end', array('int'), concat(long(1), long(1)), 'truncated'],
  ])('%s', (_, schema, bytes, reason) => {
    expect(verdict(schema, bytes)).toBe(`LS_CODEC_MALFORMED ${reason}`);
  });
});

describe('bombs', () => {
  const limited = 'LS_CODEC_LIMIT';
  const refused = 'LS_CODEC_MALFORMED truncated';
  const empty = record();
  test.each<[string, unknown, Buffer, string]>([
    ['an array of 10^9 strings in 6 bytes', array('string'), concat(long(1e9), zero), refused],
    ['a map of 10^9 strings in 6 bytes', map('string'), concat(long(1e9), zero), refused],
    ['an array of 2^62 doubles', array('double'), concat(long(2n ** 62n), zero), refused],
    ['an array of -10^9 strings', array('string'), concat(long(-1e9), long(1), zero), refused],
    ['an array of -2^63 strings', array('string'), concat(long(-(2n ** 63n)), zero, zero), refused],
    ['an array of 10^9 nulls', array('null'), concat(long(1e9), zero), `${limited} items`],
    ['an array of 2^62 nulls', array('null'), concat(long(2n ** 62n), zero), `${limited} items`],
    ['an array of -2^63 nulls', array('null'), concat(long(-(2n ** 63n)), zero, zero), `${limited} items`],
    ['an array of 10^9 empty records', array(empty), concat(long(1e9), zero), `${limited} items`],
    ['an array of 10^9 empty fixed', array({ type: 'fixed', name: 'F', size: 0 }), concat(long(1e9), zero), `${limited} items`],
    ['a map of 25,001 entries', map('null'), concat(long(25_001), Buffer.alloc(25_001), zero), `${limited} items`],
    ['a map of 10^9 nulls', map('null'), concat(long(1e9), zero), refused],
    ['nulls in many small blocks', array('null'), concat(...Array.from({ length: 2000 }, () => long(63)), zero), `${limited} items`],
    [
      'nulls in many small arrays', array(array('null')),
      concat(long(2000), ...Array.from({ length: 2000 }, () => concat(long(63), zero)), zero), `${limited} items`,
    ],
    ['records that hold only nulls', array(record(...nulls)), concat(long(200), zero), `${limited} items`],
    [
      'a branch that holds only nulls', array(['null', record(...nulls)]),
      concat(long(200), Buffer.alloc(200, 2), zero), `${limited} items`,
    ],
    ['a list of 64 links', list, concat(...Array.from({ length: 64 }, () => long(1)), zero), `${limited} depth`],
    ['a list of a million links', list, Buffer.alloc(1_000_000, 2), `${limited} depth`],
    [
      'arrays in arrays', { type: 'record', name: 'Tree', fields: [{ name: 'children', type: array('Tree') }] }, Buffer.alloc(1_000_000, 2),
      `${limited} depth`,
    ],
    [
      'maps in maps', { type: 'record', name: 'Tree', fields: [{ name: 'children', type: map('Tree') }] },
      Buffer.alloc(1_000_000, Buffer.from([2, 0])), `${limited} depth`,
    ],
    ['a message of more than 16 MiB', 'bytes', string(Buffer.alloc(16 * 1024 * 1024)), `${limited} bytes`],
  ])('%s', (_, schema, bytes, expected) => {
    expect(verdict(schema, bytes)).toBe(expected);
  });

  test('budgets are the caller’s', () => {
    expect(verdict(array('int'), concat(long(3), Buffer.alloc(3), zero), { itemsMax: 2 })).toBe(`${limited} items`);
    expect(verdict('int', long(1000), { bytesMax: 1 })).toBe(`${limited} bytes`);
    expect(verdict(array(array('int')), concat(long(1), zero, zero), { depthMax: 1 })).toBe(`${limited} depth`);
  });
});

describe('schemas that are bombs themselves', () => {
  /** Each record holds two of the next: 2^depth values of the last. */
  const doubling = (depth: number, leaf: unknown): unknown => {
    const build = (level: number): unknown =>
      level === 0
        ? leaf
        : {
            type: 'record', name: `L${String(level)}`, fields: [
              { name: 'left', type: build(level - 1) },
              { name: 'right', type: level === 1 ? leaf : `L${String(level - 1)}` },
            ],
          };
    return build(depth);
  };

  test('2^20 nulls in no bytes are refused with the schema', () => {
    const refusal = refusalOf(() => compileGuard(parseSchema(doubling(20, 'null')), defaultDecodeLimits));
    expect(refusal?.code).toBe('LS_CODEC_SCHEMA_INVALID');
  });

  test('2^20 ints compile at once and are refused for want of bytes', () => {
    expect(verdict(array(doubling(20, 'int')), concat(long(1), Buffer.alloc(1000)))).toBe('LS_CODEC_MALFORMED truncated');
  });
});

test('a refusal says where', () => {
  const guard = compileGuard(parseSchema(record('int', 'boolean')), defaultDecodeLimits);
  expect(refusalOf(() => guard(concat(hex('ffff'), long(1000), hex('07')), 2))?.details).toEqual({ reason: 'invalid-boolean', position: 4 });
});
