import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { defaultDecodeLimits } from '../../src/codec/avro-guard.ts';
import { openCodec } from '../../src/codec/codec.ts';
import { compileDecoder, compileReader } from '../../src/codec/decoder.ts';
import { schemaFingerprint } from '../../src/codec/fingerprint.ts';
import { parseSchema } from '../../src/codec/schema-model.ts';
import { ownSchemaDirectory } from '../../src/codec/schemas.ts';
import { singleObjectHeader } from '../../src/codec/wire-format.ts';
import { concat, double, long, string, yes, zero } from './avro-bytes.ts';
import { refusalOf } from './refusal.ts';

type Field = { readonly name: string; readonly type: unknown; readonly default?: unknown; readonly aliases?: readonly string[] };
const record = (fields: readonly Field[], more: object = {}) => ({ type: 'record', name: 'x.R', fields, ...more });
const value = (type: unknown) => record([{ name: 'a', type }]);
const symbols = (names: readonly string[], more: object = {}) => ({ type: 'enum', name: 'x.E', symbols: names, ...more });

function resolve(writer: unknown, reader: unknown, bytes: Buffer): unknown {
  return compileDecoder(parseSchema(writer), compileReader(parseSchema(reader)), defaultDecodeLimits).decode(bytes, 0);
}

describe('resolves', () => {
  test.each<[string, unknown, unknown, Buffer, unknown]>([
    ['an added field with a default', value('int'), record([{ name: 'a', type: 'int' }, { name: 'b', type: 'long', default: 7 }]), long(1), { a: 1, b: 7n }],
    ['an added map with a default', record([]), record([{ name: 'a', type: { type: 'map', values: 'string' }, default: { k: 'v' } }]), zero.subarray(1), { a: { k: 'v' } }],
    ['a removed field', record([{ name: 'a', type: 'int' }, { name: 'b', type: 'string' }]), value('int'), concat(long(1), string('gone')), { a: 1 }],
    [
      'a removed array in sized blocks', record([{ name: 'b', type: { type: 'array', items: 'int' } }, { name: 'a', type: 'int' }]), value('int'),
      concat(long(-2), long(2), long(5), long(6), zero, long(1)), { a: 1 },
    ],
    ['int to long', value('int'), value('long'), long(-5), { a: -5n }],
    ['int to double', value('int'), value('double'), long(-5), { a: -5 }],
    ['int to timestamp', value('int'), value({ type: 'long', logicalType: 'timestamp-millis' }), long(5), { a: 5 }],
    ['long to double', value('long'), value('double'), long(5), { a: 5 }],
    ['long to timestamp', value('long'), value({ type: 'long', logicalType: 'timestamp-millis' }), long(5), { a: 5 }],
    ['timestamp to long', value({ type: 'long', logicalType: 'timestamp-millis' }), value('long'), long(5), { a: 5n }],
    ['bytes to string', value('bytes'), value('string'), string('text'), { a: 'text' }],
    ['string to bytes', value('string'), value('bytes'), string('text'), { a: Buffer.from('text') }],
    ['an alias of a record', record([{ name: 'a', type: 'int' }], { name: 'x.Old' }), record([{ name: 'a', type: 'int' }], { aliases: ['Old'] }), long(1), { a: 1 }],
    ['an alias of a field', record([{ name: 'old', type: 'int' }]), record([{ name: 'a', type: 'int', aliases: ['old'] }]), long(1), { a: 1 }],
    ['an unknown symbol to the default', value(symbols(['A', 'B'])), value(symbols(['A'], { default: 'A' })), long(1), { a: 'A' }],
    ['symbols in another order', value(symbols(['A', 'B'])), value(symbols(['B', 'A'])), long(1), { a: 'B' }],
    ['T to [null, T]', value('string'), value(['null', 'string']), string('text'), { a: 'text' }],
    ['[null, int] to [null, long]', value(['null', 'int']), value(['null', 'long']), concat(long(1), long(3)), { a: 3n }],
    ['values of a map', value({ type: 'map', values: 'int' }), value({ type: 'map', values: 'long' }), concat(long(1), string('__proto__'), long(3), zero), { a: { ['__proto__']: 3n } }],
    ['a recursive record', { type: 'record', name: 'x.L', fields: [{ name: 'a', type: 'int' }, { name: 'next', type: ['null', 'x.L'] }] },
      { type: 'record', name: 'x.L', fields: [{ name: 'a', type: 'long' }, { name: 'next', type: ['null', 'x.L'] }] },
      concat(long(1), long(1), long(2), zero), { a: 1n, next: { a: 2n, next: null } }],
  ])('%s', (_, writer, reader, bytes, expected) => {
    expect(structuredClone(resolve(writer, reader, bytes))).toEqual(structuredClone(expected));
  });
});

describe('cannot be read', () => {
  test.each<[string, unknown, unknown]>([
    ['an added field without a default', value('int'), record([{ name: 'a', type: 'int' }, { name: 'b', type: 'int' }])],
    ['long as int', value('long'), value('int')],
    ['double as float', value('double'), value('float')],
    ['[null, T] as T', value(['null', 'string']), value('string')],
    ['string as int', value('string'), value('int')],
    ['a symbol fewer without a default', value(symbols(['A', 'B'])), value(symbols(['A']))],
    ['another namespace without an alias', record([], { name: 'y.R' }), record([])],
    ['fixed of another size', value({ type: 'fixed', name: 'x.F', size: 2 }), value({ type: 'fixed', name: 'x.F', size: 3 })],
  ])('%s', (_, writer, reader) => {
    expect(refusalOf(() => resolve(writer, reader, zero))?.code).toBe('LS_CODEC_INCOMPATIBLE');
  });

  test('a default of the wrong type', () => {
    expect(refusalOf(() => compileReader(parseSchema(record([{ name: 'a', type: 'int', default: 'x' }]))))?.code).toBe('LS_CODEC_SCHEMA_INVALID');
  });

  test('a long that is no timestamp', () => {
    const refusal = refusalOf(() => resolve(value('long'), value({ type: 'long', logicalType: 'timestamp-millis' }), long(2n ** 60n)));
    expect(refusal).toMatchObject({ code: 'LS_CODEC_MALFORMED', details: { reason: 'unreadable' } });
  });
});

describe('schema directories', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'labelstream-schemas-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const older = {
    type: 'record', name: 'labelstream.v1.RecordEvent', fields: [
      { name: 'id', type: 'string' },
      { name: 'legacy', type: 'x.Legacy' },
      { name: 'source', type: 'bytes' },
      { name: 'occurredAt', type: 'int' },
      { name: 'values', type: { type: 'map', values: 'float' } },
    ],
  };
  const legacy = { type: 'record', name: 'x.Legacy', fields: [{ name: 'flag', type: 'boolean' }] };
  const put = (name: string, schema: unknown) => writeFile(join(directory, `${name}.avsc`), JSON.stringify(schema));

  test('an older version is read as the current one', async () => {
    await put('record-event.2023', older);
    await put('x.Legacy', legacy);
    const codec = await openCodec({ schemaDirectories: [directory] });
    const header = singleObjectHeader(schemaFingerprint(parseSchema(older, () => legacy)));
    const bytes = concat(header, string('r1'), yes, string('tests'), long(5), zero);
    expect(codec.peekSchema(bytes)).toBe('RecordEvent');
    expect(structuredClone(codec.decodeAs('RecordEvent', bytes))).toEqual({
      id: 'r1', source: 'tests', occurredAt: 5, values: {}, tasks: [], attributes: {},
    });
    const current = await openCodec();
    expect(current.peekSchema(bytes)).toBeUndefined();
    expect(refusalOf(() => current.decode(bytes))).toMatchObject({
      code: 'LS_CODEC_SCHEMA_UNKNOWN', details: { schemaId: header.toString('hex', 2) },
    });
    expect(current.schemaIdOf(bytes)).toBe(header.toString('hex', 2));
  });

  test('the current schemas again, building blocks included, change nothing', async () => {
    const codec = await openCodec({ schemaDirectories: [ownSchemaDirectory] });
    expect(codec.peekSchema(Buffer.alloc(0))).toBeUndefined();
  });

  test.each<[string, unknown]>([
    ['a version that lacks a field without a default', { ...older, fields: older.fields.slice(0, 1) }],
    ['a schema of no event', { type: 'record', name: 'x.Other', fields: [] }],
    ['a schema of a type without a name', { type: 'array', items: 'int' }],
  ])('%s is refused at start-up, by file', async (_, schema) => {
    await put('bad', schema);
    await expect(openCodec({ schemaDirectories: [directory] })).rejects.toMatchObject({
      code: 'LS_CODEC_INCOMPATIBLE', details: { file: join(directory, 'bad.avsc') },
    });
  });
});

test('doubles keep every bit that counts', () => {
  expect(resolve(value('double'), value('double'), double(-0))).toEqual({ a: -0 });
});
