import { expect, test } from 'vitest';
import { avscTypeOf } from '../../src/codec/avsc-types.ts';
import { canonicalForm } from '../../src/codec/fingerprint.ts';
import { parseSchema } from '../../src/codec/schema-model.ts';
import { schemaText } from '../../src/codec/schema-text.ts';
import { loadSchemaDirectory, ownSchemaDirectory } from '../../src/codec/schemas.ts';

test('what is written of a schema reads as the same schema, documentation and aliases included', async () => {
  for (const { schema, name } of await loadSchemaDirectory(ownSchemaDirectory)) expect(parseSchema(JSON.parse(schemaText(schema))), name).toEqual(schema);
});

test('a type without a namespace stays so inside of one that has one, where it is referred to and as an alias', () => {
  const plain = { type: 'enum', name: 'Plain', namespace: '', aliases: ['Older', 'x.Elsewhere'], symbols: ['a', 'b'] };
  const schema = parseSchema({ type: 'record', name: 'x.Outer', aliases: ['.Bare'], fields: [{ name: 'one', type: plain }, { name: 'two', type: '.Plain', aliases: ['second'] }] });
  const again = parseSchema(JSON.parse(schemaText(schema)));
  expect(again).toEqual(schema);
  expect(canonicalForm(again)).toContain('"name":"Plain"');
  const type = avscTypeOf(schema);
  expect(type.fromBuffer(type.toBuffer({ one: 'b', two: 'a' }))).toMatchObject({ one: 'b', two: 'a' });
});
