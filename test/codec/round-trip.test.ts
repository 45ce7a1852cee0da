import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openCodec } from '../../src/codec/codec.ts';
import { eventNames, type EventName, type EventOf } from '../../src/codec/event-names.ts';
import { loadSchemaDirectory, ownSchemaDirectory } from '../../src/codec/schemas.ts';
import { arbitraryOf, dictionary } from './schema-arbitraries.ts';

const full = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const codec = await openCodec();
const schemas = await loadSchemaDirectory(ownSchemaDirectory);

/** Without classes and prototypes, which say nothing about the event. */
const plain = (value: unknown): unknown => structuredClone(value);

/** The same event whose maps' keys were inserted in the opposite order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value;
  return dictionary(Object.entries(value).reverse().map(([key, inner]) => [key, reversed(inner)]));
}

describe.each(eventNames)('%s', (name) => {
  const { schema } = schemas.find((loaded) => loaded.name === `labelstream.v1.${name}`)!;
  const events = arbitraryOf(schema);

  test('comes back from its bytes, and equal events are equal bytes', () => {
    fc.assert(
      fc.property(events, (event) => {
        const bytes = codec.encode(name, event as EventOf<EventName>);
        const decoded = codec.decode(bytes);
        expect(decoded.schema).toBe(name);
        expect(isDeepStrictEqual(plain(decoded.event), plain(event))).toBe(true);
        expect(codec.encode(name, decoded.event).equals(bytes)).toBe(true);
        expect(codec.encode(name, reversed(event) as EventOf<EventName>).equals(bytes)).toBe(true);
        expect(codec.peekSchema(bytes)).toBe(name);
        expect(codec.decodeAs(name, bytes)).toEqual(decoded.event);
      }),
      { numRuns: full ? 5000 : 100 },
    );
  });
});
