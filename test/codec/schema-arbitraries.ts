import fc, { type Arbitrary } from 'fast-check';
import { timestampMaxMs } from '../../src/codec/avro-guard.ts';
import type { RecordNode, SchemaNode, UnionNode } from '../../src/codec/schema-model.ts';

const text = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 12 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 80 }) },
);
const key = fc.oneof({ weight: 9, arbitrary: text }, { weight: 1, arbitrary: fc.constantFrom('__proto__', 'constructor', 'toString', '') });

/** Any event of the schema, as the codec reads and takes it. `depth` bounds recursive schemas. */
export function arbitraryOf(schema: SchemaNode, depth = 8): Arbitrary<unknown> {
  switch (schema.kind) {
    case 'null':
      return fc.constant(null);
    case 'boolean':
      return fc.boolean();
    case 'int':
      return fc.integer();
    case 'long':
      return schema.timestamp
        ? fc.integer({ min: -timestampMaxMs, max: timestampMaxMs })
        : fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -100n, max: 100n }));
    case 'float':
      return fc.float();
    case 'double':
      return fc.double();
    case 'bytes':
      return fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    case 'fixed':
      return fc.uint8Array({ minLength: schema.size, maxLength: schema.size }).map((bytes) => Buffer.from(bytes));
    case 'string':
      return text;
    case 'enum':
      return fc.constantFrom(...schema.symbols);
    case 'array':
      return depth > 0 ? fc.array(arbitraryOf(schema.items, depth - 1), { maxLength: 5 }) : fc.constant([]);
    case 'map':
      return depth > 0
        ? fc.array(fc.tuple(key, arbitraryOf(schema.values, depth - 1)), { maxLength: 5 }).map((entries) => dictionary(entries))
        : fc.constant(dictionary([]));
    case 'union':
      return unionOf(schema, depth);
    case 'record':
      return recordOf(schema, depth);
  }
}

/** `Object.fromEntries` without a prototype, so that `__proto__` is a key. */
export function dictionary(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  return Object.assign(Object.create(null) as Record<string, unknown>, Object.fromEntries(entries));
}

function unionOf(schema: UnionNode, depth: number): Arbitrary<unknown> {
  const wrapped = schema.branches.filter((branch) => branch.kind === 'record' || branch.kind === 'map').length > 1;
  const branches = depth > 0 ? schema.branches : schema.branches.slice(0, 1);
  return fc.oneof(
    ...branches.map((branch) => {
      const value = arbitraryOf(branch, depth - 1);
      return wrapped && branch.kind !== 'null' ? value.map((inner) => ({ ['name' in branch ? branch.name : branch.kind]: inner })) : value;
    }),
  );
}

function recordOf(schema: RecordNode, depth: number): Arbitrary<unknown> {
  return fc
    .tuple(...schema.fields.map((field) => arbitraryOf(field.type, depth - 1)))
    .map((values) => Object.fromEntries(schema.fields.map((field, index) => [field.name, values[index]])));
}
