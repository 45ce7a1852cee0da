import { describe, expect, test } from 'vitest';
import { recordBytes, type Headers } from '../../src/core/records.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { cloudEventSourceOf, createEventHeaders, eventHeaderBytesMax } from '../../src/pipeline/event-headers.ts';
import { traceHeadersOf, traceStateBytesMax } from '../../src/pipeline/trace-context.ts';
import { integerIn } from './virtual-clock.ts';

const full = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const parentId = '00f067aa0ba902b7';
const parent = `00-${traceId}-${parentId}-01`;

function headersOf(fields: Readonly<Record<string, string | Buffer>>): Headers {
  return new Map(Object.entries(fields).map(([name, value]) => [name, Buffer.from(value)]));
}

function handedOn(traceparent: string, tracestate?: string): Record<string, string> {
  const headers = traceHeadersOf(headersOf({ other: 'x', traceparent, ...(tracestate === undefined ? {} : { tracestate }) }));
  return Object.fromEntries([...headers].map(([name, value]) => [name, value.toString()]));
}

describe('traceparent', () => {
  test.each([parent, `00-${traceId}-${parentId}-00`, `00-${traceId}-${parentId}-ff`])('is handed on as it is: %s', (given) => {
    expect(handedOn(given)).toEqual({ traceparent: given });
  });

  test.each([
    [`01-${traceId}-${parentId}-01`, '01'], [`cc-${traceId}-${parentId}-00`, '00'], [`01-${traceId}-${parentId}-03-what-the-future-will-be-like`, '01'], [`fe-${traceId}-${parentId}-02-`, '00'],
  ])('of a later version is handed on as what is known of it: %s', (given, flags) => {
    expect(handedOn(given)).toEqual({ traceparent: `00-${traceId}-${parentId}-${flags}` });
  });

  test.each([
    '', '00', ` ${parent}`, `${parent} `, `${parent}-`, `${parent}-00`, `${parent}.`, `01-${traceId}-${parentId}-01.x`, `ff-${traceId}-${parentId}-01`, `0-${traceId}-${parentId}-01`,
    `00-${'0'.repeat(32)}-${parentId}-01`, `00-${traceId}-${'0'.repeat(16)}-01`, parent.toUpperCase(), `00-${traceId.slice(1)}-${parentId}-01`, `00-${traceId}-${parentId}-0x`,
    `00_${traceId}_${parentId}_01`, 'x'.repeat(1_000_000), `é${parent.slice(1)}`,
  ])('that is none is not, nor what belongs to it: %.60s', (given) => {
    expect(handedOn(given, 'a=1')).toEqual({});
  });

  test('under another name is none', () => {
    expect(traceHeadersOf(headersOf({ Traceparent: parent, tracestate: 'a=1' })).size).toBe(0);
  });
});

describe('tracestate', () => {
  const member = (index: number): string => `k${index}=v`;
  const members = (count: number): string => Array.from({ length: count }, (_, index) => member(index)).join(',');

  test.each([
    'a=1', 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE', 'fw529a3039@dt=FfAxjlGh', '1a-2f@nr=x', 'a=1 , b=2\t,c=3', 'a=1,,b=2', 'a/b_c-d*e=!"#$%&\'()*+-./:;<>?@[]^_`{|}~', 'a= x', members(32),
    `a=${'x'.repeat(256)}`, `${'a'.repeat(256)}=1`, `a=${'x'.repeat(255)},b=${'x'.repeat(252)}`,
  ])('is handed on as it is: %.60s', (given) => {
    expect(handedOn(parent, given)).toEqual({ traceparent: parent, tracestate: given });
  });

  test.each([
    '', ',', ' , ', 'a', 'a=', '=1', 'A=1', 'a=1,a=2', 'a=é', 'a=1=2', 'a=1\n', 'a b=1', '@a=1', 'a@=1', 'a@B=1', members(33), `a=${'x'.repeat(257)}`, `${'a'.repeat(257)}=1`,
    `a=${'x'.repeat(255)},b=${'x'.repeat(253)}`, 'a=1;'.repeat(10_000),
  ])('that is none, or is too long, is left out alone: %.60s', (given) => {
    expect(handedOn(parent, given)).toEqual({ traceparent: parent });
  });
});

test(`whatever is sent, nothing is thrown, and what is handed on is bounded and handed on again as it is (${full ? 200_000 : 5_000} seeds)`, () => {
  const pieces = [parent, '-', ',', '=', ' ', '00', 'ff', '01', traceId, parentId, 'a=1', 'k@v', '\0', 'é', '\n', 'x'.repeat(300)];
  let [parents, states] = [0, 0];
  for (let seed = 1; seed <= (full ? 200_000 : 5_000); seed += 1) {
    const random = seededRandom(seed);
    const some = (count: number): string => Array.from({ length: integerIn(random, 0, count) }, () => pieces[integerIn(random, 0, pieces.length - 1)]).join('');
    const given = headersOf({ traceparent: random() < 0.5 ? parent : some(4), tracestate: random() < 0.3 ? Buffer.from([integerIn(random, 0, 255)]) : some(8) });
    const once = traceHeadersOf(given);
    expect(traceHeadersOf(once), `seed ${seed}`).toEqual(once);
    expect((once.get('tracestate')?.length ?? 0) <= traceStateBytesMax, `seed ${seed}`).toBe(true);
    if (once.has('tracestate')) expect(once.has('traceparent'), `seed ${seed}`).toBe(true);
    parents += once.has('traceparent') ? 1 : 0;
    states += once.has('tracestate') ? 1 : 0;
  }
  expect(parents).toBeGreaterThan(100);
  expect(states).toBeGreaterThan(20);
});

describe('the headers of an event', () => {
  const id = 'a'.repeat(64);

  test('are none, and none are made, where there is no trace and nobody asks for CloudEvents', () => {
    const none = createEventHeaders(undefined)('LabelEvent', id, new Map());
    expect(none.size).toBe(0);
    expect(createEventHeaders(undefined)('LabelEvent', id, headersOf({ other: 'x', ce_id: 'y' }))).toBe(none);
  });

  test('are those of a CloudEvent in binary mode, and of the trace', () => {
    const headers = createEventHeaders(cloudEventSourceOf('pets'))('LabelEvent', id, headersOf({ traceparent: parent, ce_id: 'of the input', ce_time: 'x', 'content-type': 'text/plain' }));
    expect(Object.fromEntries([...headers].map(([name, value]) => [name, value.toString()]))).toEqual({
      ce_specversion: '1.0', ce_id: id, ce_source: '/labelstream/pets', ce_type: 'labelstream.v1.LabelEvent', 'content-type': 'application/avro', traceparent: parent,
    });
  });

  test('have at most the bytes that are set aside for them', () => {
    const cause = headersOf({ traceparent: parent, tracestate: `a=${'x'.repeat(255)},b=${'x'.repeat(252)}`, other: 'x'.repeat(100_000) });
    const record = { key: null, value: Buffer.alloc(0) };
    for (const schema of ['LabelEvent', 'FeatureEvent', 'ClusterEvent'] as const) {
      const headers = createEventHeaders(cloudEventSourceOf('g'.repeat(100)))(schema, id, cause);
      expect(recordBytes({ ...record, headers }) - recordBytes({ ...record, headers: new Map() })).toBeLessThanOrEqual(eventHeaderBytesMax);
    }
  });
});
