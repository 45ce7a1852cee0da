// What the guard accepts decodes, and encodes to the same event again; what it refuses has a stable code. Mutations of valid messages, all
// schemas, and schemas with everything that those of the events lack.
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileGuard, defaultDecodeLimits } from '../../src/codec/avro-guard.ts';
import { avscTypeOf } from '../../src/codec/avsc-types.ts';
import { compileDecoder, compileReader } from '../../src/codec/decoder.ts';
import { parseSchema, type SchemaNode } from '../../src/codec/schema-model.ts';
import { loadSchemaDirectory, ownSchemaDirectory } from '../../src/codec/schemas.ts';
import { long } from './avro-bytes.ts';
import { refusalOf } from './refusal.ts';
import { arbitraryOf } from './schema-arbitraries.ts';
import { seededRandom, type SeededRandom } from './seeded-random.ts';

const mutationCount = process.env['LABELSTREAM_TEST_SCALE'] === 'full' ? 1_000_000 : 30_000;
const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? Date.now() % 2 ** 31);

const everything = parseSchema({
  type: 'record', name: 'Everything', fields: [
    { name: 'nulls', type: { type: 'array', items: 'null' } },
    { name: 'empty', type: { type: 'map', values: { type: 'record', name: 'Empty', fields: [] } } },
    { name: 'fixed', type: { type: 'array', items: { type: 'fixed', name: 'Four', size: 4 } } },
    { name: 'float', type: 'float' },
    { name: 'enum', type: { type: 'enum', name: 'E', symbols: ['A', 'B', 'C'] } },
    { name: 'either', type: ['null', 'boolean', 'string', 'double', 'bytes', { type: 'array', items: 'int' }, { type: 'map', values: 'long' }] },
    { name: 'long', type: ['null', 'long'] },
    { name: 'children', type: { type: 'array', items: 'Everything' } },
    { name: 'next', type: ['null', 'Everything'] },
  ],
});
const schemas: readonly SchemaNode[] = [everything, ...(await loadSchemaDirectory(ownSchemaDirectory)).map(({ schema }) => schema)];

const extremes = [-1, 0, 1, 63, 64, 1e5, 1e9, 2 ** 31, -(2 ** 31) - 1, 2 ** 40, 2n ** 53n, 2n ** 62n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n];

function mutate(bytes: Buffer, other: Buffer, random: SeededRandom): Buffer {
  const at = random.below(bytes.length + 1);
  const to = Math.min(bytes.length, at + random.below(12));
  switch (random.below(8)) {
    case 0: {
      const flipped = Buffer.from(bytes);
      if (at < flipped.length) flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8));
      return flipped;
    }
    case 1:
      return bytes.subarray(0, at);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), other.subarray(random.below(other.length + 1))]);
    case 4:
      return Buffer.concat([bytes.subarray(0, at), long(random.pick(extremes)), bytes.subarray(to)]);
    case 5:
      return Buffer.concat([bytes.subarray(0, at), random.bytes(random.below(8)), bytes.subarray(to)]);
    case 6:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from([random.below(12)]), bytes.subarray(at + 1)]);
    default:
      return Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]);
  }
}

test(`mutated messages, seed ${String(seed)}`, { timeout: 1_200_000 }, () => {
  const random = seededRandom(seed);
  const seen = new Map<string, number>();
  for (const schema of schemas) {
    const type = avscTypeOf(schema);
    const guard = compileGuard(schema, defaultDecodeLimits);
    const { decode } = compileDecoder(schema, compileReader(schema), defaultDecodeLimits);
    const valid = fc.sample(arbitraryOf(schema, 5), { seed, numRuns: 300 }).map((event) => type.toBuffer(event));
    for (let count = Math.ceil(mutationCount / schemas.length); count > 0; count--) {
      let bytes = random.pick(valid);
      for (let mutations = 1 + random.below(2); mutations > 0; mutations--) bytes = mutate(bytes, random.pick(valid), random);
      const refusal = refusalOf(() => guard(bytes, 0));
      const verdict = refusal === undefined ? 'accepted' : `${refusal.code} ${String(refusal.details['reason'])}`;
      seen.set(verdict, (seen.get(verdict) ?? 0) + 1);
      if (refusal !== undefined) continue;
      const event = decode(bytes, 0);
      const again = decode(type.toBuffer(event), 0);
      if (!isDeepStrictEqual(again, event)) expect.fail(`another event after encoding: ${bytes.toString('hex')}`);
    }
  }
  // Every reason occurs, or the mutations are too tame to say anything.
  const reasons = [
    'truncated', 'trailing-bytes', 'varint-too-long', 'int-overflow', 'long-overflow', 'negative-length', 'invalid-boolean', 'invalid-utf8',
    'enum-index', 'union-index', 'block-size-mismatch', 'timestamp-out-of-range',
  ].map((reason) => `LS_CODEC_MALFORMED ${reason}`);
  expect([...seen.keys()].sort()).toEqual([...reasons, 'LS_CODEC_LIMIT items', 'accepted'].sort());
  expect(seen.get('accepted')).toBeGreaterThan(mutationCount / 20);
});
