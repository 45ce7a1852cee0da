import { describe, expect, it } from 'vitest';
import { recordBytes, type ConsumedRecord } from '../../src/core/records.ts';
import { deadLetter, deadLetterCode, deadLetterHeaderBytesMax, messageBytesMax } from '../../src/pipeline/dead-letter.ts';
import { decodeOrigin, encodeOrigin, headerNames, originOf, withOrigin } from '../../src/pipeline/headers.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';

const record: ConsumedRecord = {
  topic: 'text.events',
  partition: 3,
  incarnation: 'b0c1',
  sequence: 41n,
  nextPosition: '42',
  appendTimeMs: 1_700_000_000_000,
  key: Buffer.from('key'),
  value: Buffer.from([0xff, 0x00, 0xc3]),
  headers: new Map([
    ['traceparent', Buffer.from('00-abc')],
    ['labelstream.error.task', Buffer.from('of an earlier failure')],
  ]),
};
const failure = { code: 'LS_CODEC_MALFORMED', message: 'not a message', stage: 'extract', attempt: 1 };

const headersOf = (output: { readonly headers: ReadonlyMap<string, Buffer> }): Record<string, string> =>
  Object.fromEntries([...output.headers].map(([name, value]) => [name, value.toString()]));

describe('a dead letter', () => {
  it('keeps bytes, key and headers, and says why and where', () => {
    const output = deadLetter(record, failure, 5);
    expect(output).toMatchObject({ topic: 'dead-letters', partition: 5 });
    expect(output.value).toBe(record.value);
    expect(output.key).toBe(record.key);
    expect(headersOf(output)).toEqual({
      traceparent: '00-abc',
      'labelstream.error.code': 'LS_CODEC_MALFORMED',
      'labelstream.error.message': 'not a message',
      'labelstream.error.stage': 'extract',
      'labelstream.error.attempt': '1',
      'labelstream.read.topic': 'text.events',
      'labelstream.read.incarnation': 'b0c1',
      'labelstream.read.partition': '3',
      'labelstream.read.sequence': '41',
      'labelstream.origin': '3 41 1700000000000 b0c1 text.events',
    });
    expect(deadLetterCode(output)).toBe('LS_CODEC_MALFORMED');
    expect(deadLetterCode({ ...output, topic: 'labels' })).toBeUndefined();
  });

  it('names task, schema and origin where there are any', () => {
    const origin = { topic: 'a', incarnation: 'b', partition: 1, sequence: 2n, appendTime: 3 };
    const headers = headersOf(deadLetter(record, { ...failure, task: 'text-features', schemaId: '7', origin }, 0));
    expect(headers).toMatchObject({
      'labelstream.error.task': 'text-features',
      'labelstream.error.schema-id': '7',
      'labelstream.origin': '1 2 3 b a',
    });
  });

  it('bounds its message without cutting a character', () => {
    for (const character of ['x', 'é', '猫', '😀']) {
      for (let shift = 0; shift < 4; shift += 1) {
        const message = 'x'.repeat(shift) + character.repeat(5_000);
        const bytes = deadLetter(record, { ...failure, message }, 0).headers.get(headerNames.errorMessage);
        expect(bytes?.length).toBeLessThanOrEqual(messageBytesMax);
        expect(bytes?.length).toBeGreaterThan(messageBytesMax - 4);
        expect(message.startsWith(bytes?.toString() ?? 'nothing')).toBe(true);
      }
    }
  });

  it('names all steps and labels, or none: a redrive would pass over the steps behind a cut', () => {
    const steps = Array.from({ length: 60 }, (_, index) => `${'r'.repeat(100)}/${'s'.repeat(90)}${index}`);
    const { headers } = deadLetter(record, { ...failure, routeSteps: steps, results: { step: '€'.repeat(3_000) } }, 0);
    expect([headerNames.errorRouteSteps, headerNames.errorResults].filter((name) => headers.has(name))).toEqual([]);
    const few = deadLetter(record, { ...failure, routeSteps: steps.slice(0, 40), results: { step: 'x' } }, 0).headers;
    expect(few.get(headerNames.errorRouteSteps)?.toString()).toBe(steps.slice(0, 40).join(','));
    expect(few.get(headerNames.errorResults)?.toString()).toBe('{"step":"x"}');
  });

  it('of a redriven record carries nothing of the redrive', () => {
    const redriven = { ...record, headers: new Map([headerNames.runRouteSteps, headerNames.runResults, headerNames.runAttempts, headerNames.redriveOf].map((name) => [name, Buffer.from('x')])) };
    expect([...deadLetter(redriven, failure, 0).headers.keys()].filter((name) => /run|redrive/.test(name))).toEqual([]);
  });

  it('adds no more than is allowed for, whatever the record and the failure hold', () => {
    const long = '€'.repeat(100_000);
    const steps = Array.from({ length: 9_000 }, (_, index) => `route/${index}`);
    const origin = { topic: long, incarnation: long, partition: 2 ** 31 - 1, sequence: 2n ** 63n - 1n, appendTime: 2 ** 52 - 1 };
    const largest = { code: long, message: long, stage: long, task: long, attempt: 1, schemaId: long, routeSteps: steps, results: { [long]: long }, origin };
    const read = { ...record, topic: 't'.repeat(249), incarnation: 'i'.repeat(60), headers: new Map([['labelstream.origin', encodeOrigin(origin)]]) };
    for (const each of [read, { ...record, headers: new Map() }]) {
      const output = deadLetter(each, largest, 0);
      expect(recordBytes(output) - recordBytes({ ...each, headers: new Map() })).toBeLessThanOrEqual(deadLetterHeaderBytesMax);
    }
    expect(deadLetterHeaderBytesMax).toBeLessThan(32 * 1024);
  });
});

describe('the origin header', () => {
  it('comes back as it was written', () => {
    for (const sequence of [0n, 1n, 2n ** 63n - 1n]) {
      const origin = { topic: 'media.events', incarnation: 'a-b', partition: 2 ** 31 - 1, sequence, appendTime: 1_700_000_000_000 };
      expect(decodeOrigin(encodeOrigin(origin))).toEqual(origin);
    }
  });

  it('is the record itself at first, and stays what it was from then on', () => {
    const own = { topic: 'text.events', incarnation: 'b0c1', partition: 3, sequence: 41n, appendTime: 1_700_000_000_000 };
    expect(originOf(record)).toEqual(own);
    const parked = { ...record, topic: 'parked', incarnation: 'other', partition: 0, sequence: 7n, headers: withOrigin(record) };
    expect(originOf(parked)).toEqual(own);
    expect(originOf({ ...parked, headers: withOrigin(parked) })).toEqual(own);
    expect([...withOrigin(record).keys()]).toContain('traceparent');
  });

  it('is nothing where the bytes are not one, whatever they are', () => {
    const hostile = ['', ' ', '1 2 3 a', '1 2 3 a b c', '-1 2 3 a b', '1 2.5 3 a b', '2147483648 1 1 a b', '1 9223372036854775808 1 a b', '1 1 9999999999999999 a b', '1 1 4503599627370496 a b', `1 2 3 a ${'b'.repeat(2_000)}`, '1 2 3 a b\n'];
    for (const text of hostile) expect(decodeOrigin(Buffer.from(text)), text).toBeUndefined();
    const random = seededRandom(3);
    const valid = encodeOrigin({ topic: 'a', incarnation: 'b', partition: 1, sequence: 2n, appendTime: 3 });
    for (let attempt = 0; attempt < 2_000; attempt += 1) {
      const bytes = Buffer.from(valid);
      bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      const decoded = decodeOrigin(bytes);
      if (decoded !== undefined) expect(decodeOrigin(encodeOrigin(decoded))).toEqual(decoded);
    }
    expect(decodeOrigin(undefined)).toBeUndefined();
  });
});
