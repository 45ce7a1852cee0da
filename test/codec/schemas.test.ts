import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { avscTypeOf } from '../../src/codec/avsc-types.ts';
import { eventNames } from '../../src/codec/event-names.ts';
import { canonicalForm } from '../../src/codec/fingerprint.ts';
import { parseSchema } from '../../src/codec/schema-model.ts';
import { loadSchemaDirectory, ownSchemaDirectory } from '../../src/codec/schemas.ts';
import { refusalOf } from './refusal.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'labelstream-schemas-'));
});
afterEach(() => rm(directory, { recursive: true }));

const invalid = { code: 'LS_CODEC_SCHEMA_INVALID' };

test('every schema whose name ends in Event is an event, and every event has one', async () => {
  const names = (await loadSchemaDirectory(ownSchemaDirectory)).map((schema) => schema.name);
  const events = names.filter((name) => name?.endsWith('Event'));
  expect(events.sort()).toEqual(eventNames.map((name) => `labelstream.v1.${name}`).sort());
});

test('a file may refer to another by name', async () => {
  await writeFile(join(directory, 'x.Outer.avsc'), JSON.stringify({ type: 'record', name: 'x.Outer', fields: [{ name: 'inner', type: 'Inner' }] }));
  await writeFile(join(directory, 'x.Inner.avsc'), JSON.stringify({ type: 'enum', name: 'Inner', namespace: 'x', symbols: ['A'] }));
  await writeFile(join(directory, 'README.txt'), 'not a schema');
  const [inner, outer] = await loadSchemaDirectory(directory);
  expect(inner).toMatchObject({ name: 'x.Inner', referenced: true });
  expect(outer).toMatchObject({ name: 'x.Outer', referenced: false, file: join(directory, 'x.Outer.avsc') });
  expect(canonicalForm(outer!.schema)).toBe(
    '{"name":"x.Outer","type":"record","fields":[{"name":"inner","type":{"name":"x.Inner","type":"enum","symbols":["A"]}}]}',
  );
});

describe('a schema file that is refused, by name', () => {
  test.each([
    ['no JSON', '{'],
    ['too large', JSON.stringify({ type: 'string', doc: 'x'.repeat(1024 * 1024) })],
    ['an undefined reference', JSON.stringify({ type: 'record', name: 'x.Bad', fields: [{ name: 'a', type: 'x.Missing' }] })],
    ['nothing but itself', '"x.Bad"'],
  ])('%s', async (_, text) => {
    const file = join(directory, 'x.Bad.avsc');
    await writeFile(file, text);
    await expect(loadSchemaDirectory(directory)).rejects.toMatchObject({ ...invalid, details: { file } });
  });

  test('a directory by the name of a schema', async () => {
    await mkdir(join(directory, 'x.Bad.avsc'));
    await expect(loadSchemaDirectory(directory)).rejects.toMatchObject(invalid);
  });

  test('a directory that is not there', async () => {
    await expect(loadSchemaDirectory(join(directory, 'missing'))).rejects.toMatchObject(invalid);
  });
});

describe('a schema that is refused', () => {
  const nested = (depth: number): unknown => (depth === 0 ? 'int' : { type: 'array', items: nested(depth - 1) });
  const field = (type: unknown, name = 'a') => ({ type: 'record', name: 'R', fields: [{ name, type }] });
  test.each([
    ['null', null],
    ['a number', 5],
    ['no items', { type: 'array' }],
    ['an unknown type', { type: 'list' }],
    ['a union in a union', [['int']]],
    ['a branch twice', ['int', 'int']],
    ['a record without fields', { type: 'record', name: 'R' }],
    ['a field that is no object', { type: 'record', name: 'R', fields: ['a'] }],
    ['a field twice', { type: 'record', name: 'R', fields: [{ name: 'a', type: 'int' }, { name: 'a', type: 'int' }] }],
    ['a type twice', ['null', field(field('int'))]],
    ['a record without a name', { type: 'record', fields: [] }],
    ['a namespace that is no text', { type: 'record', name: 'R', namespace: 5, fields: [] }],
    ['a primitive defined again', { type: 'record', name: 'x.string', fields: [] }],
    ['code for a name', field('int', 'a){process.exit(3)}')],
    ['__proto__ for a name', field('int', '__proto__')],
    ['an alias that is no name', { type: 'record', name: 'R', aliases: ['a b'], fields: [] }],
    ['aliases that are no list', { type: 'record', name: 'R', aliases: 'S', fields: [] }],
    ['a symbol twice', { type: 'enum', name: 'E', symbols: ['A', 'A'] }],
    ['a default that is no symbol', { type: 'enum', name: 'E', symbols: ['A'], default: 'B' }],
    ['a negative size', { type: 'fixed', name: 'F', size: -1 }],
    ['nesting without end', nested(100)],
  ])('%s', (_, json) => {
    expect(refusalOf(() => parseSchema(json))).toMatchObject(invalid);
  });

  test('a reference answered with another type', () => {
    expect(refusalOf(() => parseSchema('x.A', () => ({ type: 'fixed', name: 'x.B', size: 1 })))).toMatchObject(invalid);
  });
});

test('avsc reads every schema as the canonical form says', async () => {
  for (const { schema } of await loadSchemaDirectory(ownSchemaDirectory)) {
    expect(JSON.stringify(avscTypeOf(schema).schema())).toBe(canonicalForm(schema));
  }
});
