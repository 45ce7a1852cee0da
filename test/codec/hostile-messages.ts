/**
 * Messages that the codec must refuse, each of a named kind: what a broken producer, a fuzzer or an attacker would send. All are refused
 * whatever the topic; the same seed gives the same messages.
 */
import { openCodec } from '../../src/codec/codec.ts';
import { eventNames, type EventOf, type EventName } from '../../src/codec/event-names.ts';
import { loadSchemaDirectory, ownSchemaDirectory } from '../../src/codec/schemas.ts';
import { canonicalForm } from '../../src/codec/fingerprint.ts';
import fc from 'fast-check';
import { concat, long, string, textBody, zero, type TextFields } from './avro-bytes.ts';
import { refusalOf } from './refusal.ts';
import { arbitraryOf } from './schema-arbitraries.ts';
import { seededRandom, type SeededRandom } from './seeded-random.ts';

export type HostileMessage = { readonly kind: string; readonly bytes: Buffer };

const codec = await openCodec();
const schemas = await loadSchemaDirectory(ownSchemaDirectory);
const header = Buffer.from(
  codec
    .encode('TextEvent', {
      id: '', source: '', occurredAt: 0, text: '', language: null, tasks: [], collection: null, attributes: {}, deleted: false,
    })
    .subarray(0, 10),
);

/** Valid messages of every event, some of each. */
function validMessages(seed: number, countEach: number): readonly { readonly name: EventName; readonly bytes: Buffer }[] {
  return eventNames.flatMap((name) => {
    const { schema } = schemas.find((loaded) => loaded.name === `labelstream.v1.${name}`)!;
    const events = fc.sample(arbitraryOf(schema), { seed, numRuns: countEach });
    return events.map((event) => ({ name, bytes: codec.encode(name, event as EventOf<EventName>) }));
  });
}

type Maker = (random: SeededRandom, valid: () => Buffer) => Buffer;
const text = (fields: Partial<TextFields>): Buffer => concat(header, textBody(fields));
const hugeCounts = [1e6, 1e9, 2 ** 31, 2 ** 40, 2n ** 53n, 2n ** 62n, 2n ** 63n - 1n];
const huge = (random: SeededRandom): bigint => BigInt(random.pick(hugeCounts));
const junk = (random: SeededRandom): Buffer => random.bytes(random.below(40));

const makers: Readonly<Record<string, Maker>> = {
  'empty': () => Buffer.alloc(0),
  'random-bytes': (random) => random.bytes(1 + random.below(300)),
  'short-header': (_, valid) => valid().subarray(0, 9),
  'header-alone': () => Buffer.from(header),
  'wrong-marker': (random, valid) => concat(random.pick([Buffer.from('c300', 'hex'), Buffer.from('c302', 'hex'), Buffer.from('0001', 'hex')]), valid().subarray(2)),
  'wrong-schema-id': (random, valid) => concat(header.subarray(0, 2), random.bytes(8), valid().subarray(10)),
  'other-schemas-id': (random, valid) => concat(random.pick(others).subarray(0, 10), valid().subarray(10)),
  'json': () => Buffer.from(canonicalForm(schemas[0]!.schema)),
  'deep-json': (random) => Buffer.from('['.repeat(1 + random.below(20_000))),
  'truncated': (random, valid) => {
    const bytes = valid();
    return bytes.subarray(0, 10 + random.below(bytes.length - 10));
  },
  'trailing-bytes': (random, valid) => concat(valid(), random.bytes(1 + random.below(20))),
  'spliced': (random, valid) => {
    const bytes = valid();
    return concat(bytes.subarray(0, 10 + random.below(bytes.length - 10)), random.pick(others).subarray(10 + random.below(20)));
  },
  'flipped-bits': (random, valid) => {
    const bytes = Buffer.from(valid());
    for (let flips = 1 + random.below(4); flips > 0; flips--) {
      const index = 10 + random.below(bytes.length - 10);
      bytes[index] = (bytes[index] ?? 0) ^ (1 << random.below(8));
    }
    return bytes;
  },
  'array-bomb': (random) => text({ tasks: concat(long(huge(random)), junk(random)) }),
  'map-bomb': (random) => text({ attributes: concat(long(huge(random)), junk(random)) }),
  'negative-block-bomb': (random) => text({ tasks: concat(long(-huge(random)), long(random.below(100)), junk(random)) }),
  'most-negative-block': () => text({ tasks: concat(long(-(2n ** 63n)), zero) }),
  'lying-block-size': (random) => text({ tasks: concat(long(-1), long(5 + random.below(50)), string('a'), zero) }),
  'endless-blocks': (random) => text({ tasks: Buffer.alloc(1000 + random.below(20_000), Buffer.from([2, 0])) }),
  'too-many-items': () => text({ tasks: concat(long(100_001), Buffer.alloc(100_001), zero) }),
  'absurd-string-length': (random) => text({ text: concat(long(huge(random)), junk(random)) }),
  'negative-length': (random) => text({ text: long(-1 - random.below(1e9)) }),
  'endless-varint': (random) => text({ occurredAt: Buffer.alloc(11 + random.below(1000), 0xff) }),
  'long-overflow': () => text({ occurredAt: long(2n ** 63n) }),
  'time-out-of-range': () => text({ occurredAt: long(2n ** 62n) }),
  'no-such-branch': (random) => text({ language: long(2 + random.below(1e6)) }),
  'negative-branch': (random) => text({ collection: long(-1 - random.below(1e6)) }),
  'no-boolean': (random) => text({ deleted: Buffer.from([2 + random.below(254)]) }),
  'invalid-utf8': (random) => text({ text: string(concat(random.bytes(random.below(90)), Buffer.from([0xc0 + random.below(2)]))) }),
  'half-surrogate-pair': () => text({ id: string(Buffer.from('eda080', 'hex')) }),
  'deep-nesting': (random) => concat(header, Buffer.alloc(1000 + random.below(100_000), 2)),
};

/** Every kind in turn. What chance made valid after all is made again. */
export function hostileMessages(seed: number, count: number): HostileMessage[] {
  const random = seededRandom(seed);
  const valid = validMessages(seed, 50).map(({ bytes }) => bytes);
  const kinds = Object.entries(makers);
  return Array.from({ length: count }, (_, index) => {
    const [kind, make] = kinds[index % kinds.length]!;
    for (;;) {
      const bytes = make(random, () => random.pick(valid));
      if (refusalOf(() => codec.decode(bytes)) !== undefined) return { kind, bytes };
    }
  });
}

export const hostileKinds: readonly string[] = Object.keys(makers);

const others = validMessages(1, 3).map(({ bytes }) => bytes);
