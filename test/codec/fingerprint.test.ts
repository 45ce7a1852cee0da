// The vectors are those with which the Avro project tests its own implementations (share/test/data/schema-tests.txt).
import { describe, expect, test } from 'vitest';
import { canonicalForm, rabinFingerprint, schemaFingerprint } from '../../src/codec/fingerprint.ts';
import { parseSchema } from '../../src/codec/schema-model.ts';
import { schemaIdOf } from '../../src/codec/wire-format.ts';

const vectors: readonly (readonly [json: string, canonical: string, fingerprint: bigint])[] = [
  ['"null"', '"null"', 7195948357588979594n],
  ['{"type":"null"}', '"null"', 7195948357588979594n],
  ['"boolean"', '"boolean"', -6970731678124411036n],
  ['"int"', '"int"', 8247732601305521295n],
  ['"long"', '"long"', -3434872931120570953n],
  ['"float"', '"float"', 5583340709985441680n],
  ['"double"', '"double"', -8181574048448539266n],
  ['"bytes"', '"bytes"', 5746618253357095269n],
  ['"string"', '"string"', -8142146995180207161n],
  ['[  ]', '[]', -1241056759729112623n],
  ['[ "int"  ]', '["int"]', -5232228896498058493n],
  ['[ "int" , {"type":"boolean"} ]', '["int","boolean"]', 5392556393470105090n],
  ['{"fields":[], "type":"record", "name":"foo"}', '{"name":"foo","type":"record","fields":[]}', -4824392279771201922n],
  [
    '{"fields":[], "type":"record", "name":"foo", "namespace":"x.y"}',
    '{"name":"x.y.foo","type":"record","fields":[]}',
    5916914534497305771n,
  ],
  [
    '{"fields":[], "type":"record", "name":"a.b.foo", "namespace":"x.y"}',
    '{"name":"a.b.foo","type":"record","fields":[]}',
    -4616218487480524110n,
  ],
  [
    '{"fields":[], "type":"record", "name":"foo", "doc":"foo", "aliases":["foo","bar"]}',
    '{"name":"foo","type":"record","fields":[]}',
    -4824392279771201922n,
  ],
  [
    '{"fields":[{"type":{"type":"boolean"}, "name":"f1"}], "type":"record", "name":"foo"}',
    '{"name":"foo","type":"record","fields":[{"name":"f1","type":"boolean"}]}',
    7843277075252814651n,
  ],
  [
    `{ "fields":[{"type":"boolean", "aliases":[], "name":"f1", "default":"true"},
       {"order":"descending","name":"f2","doc":"Hello","type":"int"}], "type":"record", "name":"foo" }`,
    '{"name":"foo","type":"record","fields":[{"name":"f1","type":"boolean"},{"name":"f2","type":"int"}]}',
    -4860222112080293046n,
  ],
  ['{"type":"enum", "name":"foo", "symbols":["A1"]}', '{"name":"foo","type":"enum","symbols":["A1"]}', -6342190197741309591n],
  [
    '{"namespace":"x.y.z", "type":"enum", "name":"foo", "doc":"foo bar", "symbols":["A1", "A2"]}',
    '{"name":"x.y.z.foo","type":"enum","symbols":["A1","A2"]}',
    -4448647247586288245n,
  ],
  ['{"name":"foo","type":"fixed","size":15}', '{"name":"foo","type":"fixed","size":15}', 1756455273707447556n],
  [
    '{"namespace":"x.y.z", "type":"fixed", "name":"foo", "doc":"foo bar", "size":32}',
    '{"name":"x.y.z.foo","type":"fixed","size":32}',
    -3064184465700546786n,
  ],
  ['{ "items":{"type":"null"}, "type":"array"}', '{"type":"array","items":"null"}', -589620603366471059n],
  ['{ "values":"string", "type":"map"}', '{"type":"map","values":"string"}', -8732877298790414990n],
  [
    '{"name":"PigValue","type":"record", "fields":[{"name":"value", "type":["null", "int", "long", "PigValue"]}]}',
    '{"name":"PigValue","type":"record","fields":[{"name":"value","type":["null","int","long","PigValue"]}]}',
    -1759257747318642341n,
  ],
];

describe('the vectors of the Avro project', () => {
  test.each(vectors)('%s', (json, canonical, fingerprint) => {
    const schema = parseSchema(JSON.parse(json));
    expect(canonicalForm(schema)).toBe(canonical);
    expect(BigInt.asIntN(64, schemaFingerprint(schema))).toBe(fingerprint);
  });
});

test('the fingerprint of nothing is the polynomial', () => {
  expect(rabinFingerprint(Buffer.alloc(0))).toBe(0xc15d213aa4d7a795n);
});

test('names inside a record take its namespace, also where its name brings it, and a second use is the name alone', () => {
  const schema = parseSchema({
    type: 'record', name: 'a.b.Outer', namespace: 'ignored', fields: [
      { name: 'first', type: { type: 'record', name: 'Inner', fields: [{ name: 'id', type: { type: 'fixed', name: 'c.Id', size: 2 } }] } },
      { name: 'second', type: 'Inner' },
      { name: 'third', type: ['null', 'c.Id'] },
    ],
  });
  expect(canonicalForm(schema)).toBe(
    '{"name":"a.b.Outer","type":"record","fields":[{"name":"first","type":{"name":"a.b.Inner","type":"record","fields":' +
      '[{"name":"id","type":{"name":"c.Id","type":"fixed","size":2}}]}},{"name":"second","type":"a.b.Inner"},' +
      '{"name":"third","type":["null","c.Id"]}]}',
  );
});

test('a schema id is the bytes of the wire', () => {
  expect(schemaIdOf({ kind: 'single-object', fingerprint: 0x0102030405060708n, bodyOffset: 10 })).toBe('0807060504030201');
});
