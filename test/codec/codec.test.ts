import { describe, expect, test } from 'vitest';
import type { Assignment, LabelEvent, MediaEvent, RecordEvent, TextEvent } from '../../src/core/events.generated.ts';
import { openCodec } from '../../src/codec/codec.ts';
import { concat, long, string, textBody, zero } from './avro-bytes.ts';
import { refusalOf } from './refusal.ts';
import { dictionary } from './schema-arbitraries.ts';

const codec = await openCodec();

const text: TextEvent = {
  id: 'doc-1', source: 'tests', occurredAt: 1_700_000_000_000, text: 'A text.', language: null, tasks: [], collection: null, attributes: {}, deleted: false,
};
const media: MediaEvent = {
  id: 'm', source: 's', occurredAt: 0, contentType: 'image/png', content: Buffer.from('abc'), tasks: [], collection: null, attributes: {}, deleted: false,
};
const assignment: Assignment = { family: 'f', collection: 'c', generation: 'g', clusterId: null, role: 'noise', sequence: 0n };
const label: LabelEvent = {
  id: 'l', inputId: 'i', itemId: 's/i', origin: { topic: 't', incarnation: 'n', partition: 0, sequence: 2n ** 63n - 1n, appendTime: 0 },
  routeStep: 'r/s', task: 't', model: 'm', modelVersion: '1', revision: { epoch: 0, number: -(2n ** 63n) },
  result: { 'labelstream.v1.Assignment': assignment },
};
const header = Buffer.from(codec.encode('TextEvent', text).subarray(0, 10));

test('the bytes are those of the specification', () => {
  // The fingerprint and the body as another implementation (fastavro) gives them.
  expect(header.toString('hex')).toBe('c3014b22606490e1ef3c');
  expect(codec.encode('TextEvent', text).subarray(10)).toEqual(textBody());
  expect(codec.schemaIdOf(header)).toBe('4b22606490e1ef3c');
});

describe('what is no Avro single-object', () => {
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['a header cut short', header.subarray(0, 9)],
    ['JSON', Buffer.from('{"id": "doc-1", "text": "A text."}')],
    ['another version of the marker', concat(Buffer.from('c302', 'hex'), header.subarray(2), textBody())],
    ['a Confluent header cut short', Buffer.from('00000000', 'hex')],
    ['a Confluent header with a negative id', concat(Buffer.from('00ffffffff', 'hex'), textBody())],
  ])('%s', (_, bytes) => {
    expect(refusalOf(() => codec.decode(bytes))?.code).toBe('LS_CODEC_FORMAT');
    expect(refusalOf(() => codec.decodeAs('TextEvent', bytes))?.code).toBe('LS_CODEC_FORMAT');
    expect(codec.schemaIdOf(bytes)).toBeUndefined();
    expect(codec.peekSchema(bytes)).toBeUndefined();
  });
});

test("a value in Confluent's format where no registry is configured", () => {
  const bytes = concat(Buffer.from('0000000001', 'hex'), textBody());
  expect(codec.prepareDecode(bytes)).toBeUndefined();
  expect(refusalOf(() => codec.decode(bytes))).toMatchObject({ code: 'LS_REGISTRY_NOT_CONFIGURED', details: { schemaId: 1 } });
  expect(codec.schemaIdOf(bytes)).toBe('registry:1');
  expect(codec.peekSchema(bytes)).toBeUndefined();
});

test('another event than the expected one', () => {
  const refusal = refusalOf(() => codec.decodeAs('RecordEvent', codec.encode('TextEvent', text)));
  expect(refusal).toMatchObject({ code: 'LS_CODEC_SCHEMA_UNEXPECTED', details: { schema: 'TextEvent' } });
});

test('a header without a body', () => {
  expect(refusalOf(() => codec.decode(Buffer.from(header)))).toMatchObject({ code: 'LS_CODEC_MALFORMED', details: { reason: 'truncated', position: 10 } });
});

describe('an event that does not fit is refused, by field', () => {
  const invalidText = (change: object) => refusalOf(() => codec.encode('TextEvent', { ...text, ...change }))?.details['path'];
  test.each<[string, object, string]>([
    ['a number for a string', { id: 5 }, 'TextEvent.id'],
    ['a missing field', { text: undefined }, 'TextEvent.text'],
    ['a fraction for a time', { occurredAt: 0.5 }, 'TextEvent.occurredAt'],
    ['a bigint for a time', { occurredAt: 5n }, 'TextEvent.occurredAt'],
    ['a time out of range', { occurredAt: 2 ** 52 }, 'TextEvent.occurredAt'],
    ['an item of another type', { tasks: ['a', null] }, 'TextEvent.tasks.1'],
    ['half a surrogate pair', { text: '\ud83d' }, 'TextEvent.text'],
    ['half a surrogate pair in a long text', { text: `${'a'.repeat(100)}\ude00` }, 'TextEvent.text'],
    ['half a surrogate pair in a key', { attributes: { '\ud83d': 'x' } }, 'TextEvent'],
    ['an array for a map', { attributes: ['a'] }, 'TextEvent.attributes'],
    ['a value of a map', { attributes: { a: 1 } }, 'TextEvent.attributes.a'],
    ['a branch that is none', { language: 5 }, 'TextEvent.language'],
  ])('%s', (_, change, path) => {
    expect(invalidText(change)).toBe(path);
  });

  test.each<[string, object, string]>([
    ['a number for a long', { revision: { epoch: 0, number: 1 } }, 'LabelEvent.revision.number'],
    ['a long of 65 bits', { revision: { epoch: 0, number: 2n ** 63n } }, 'LabelEvent.revision.number'],
    ['an int of 33 bits', { revision: { epoch: 2 ** 31, number: 1n } }, 'LabelEvent.revision.epoch'],
    ['a branch by its simple name', { result: { Caption: { text: '' } } }, 'LabelEvent.result'],
    ['a branch by the name of a method', { result: { constructor: { text: '' } } }, 'LabelEvent'],
    [
      'a symbol by the name of a method', { result: { 'labelstream.v1.Assignment': { ...assignment, role: 'constructor' } } },
      'LabelEvent.result.labelstream.v1.Assignment.role',
    ],
    ['no origin', { origin: null }, 'LabelEvent.origin'],
  ])('%s', (_, change, path) => {
    expect(refusalOf(() => codec.encode('LabelEvent', { ...label, ...change }))?.details['path']).toBe(path);
  });

  test('bytes that are no Buffer', () => {
    const change: object = { content: new Uint8Array(3) };
    expect(refusalOf(() => codec.encode('MediaEvent', { ...media, ...change }))?.code).toBe('LS_CODEC_INVALID_EVENT');
  });

  test('an event of no schema', () => {
    expect(refusalOf(() => codec.encode('Origin' as 'TextEvent', text))?.code).toBe('LS_CODEC_INVALID_EVENT');
  });

  test('the value itself stays out of the message: it may be personal', () => {
    const change: object = { occurredAt: 'at home' };
    const refusal = refusalOf(() => codec.encode('TextEvent', { ...text, ...change }));
    expect(refusal?.message).toBe('TextEvent.occurredAt is not long but a string');
  });
});

describe('limits', () => {
  test('what is written is what would be read', async () => {
    const tight = await openCodec({ limits: { bytesMax: 100, itemsMax: 2 } });
    const long = { ...text, text: 'x'.repeat(100) };
    expect(refusalOf(() => tight.encode('TextEvent', long))).toMatchObject({ code: 'LS_CODEC_LIMIT', details: { reason: 'bytes' } });
    expect(refusalOf(() => tight.decode(codec.encode('TextEvent', long)))?.code).toBe('LS_CODEC_LIMIT');
    const many = { ...text, tasks: ['a', 'b', 'c'] };
    expect(refusalOf(() => tight.encode('TextEvent', many))).toMatchObject({ code: 'LS_CODEC_LIMIT', details: { reason: 'items' } });
    expect(tight.decodeAs('TextEvent', tight.encode('TextEvent', text)).text).toBe(text.text);
  });

  test('an event larger than the scratch buffer', () => {
    const large = { ...text, text: 'é'.repeat(1_000_000) };
    expect(codec.decodeAs('TextEvent', codec.encode('TextEvent', large)).text).toBe(large.text);
    expect(codec.decodeAs('TextEvent', codec.encode('TextEvent', text)).text).toBe(text.text);
  });
});

test('a key that means something to JavaScript is a key like any other', () => {
  const keys = ['__proto__', 'constructor', 'hasOwnProperty', 'toString', ''];
  const hostile = concat(header, textBody({ attributes: concat(long(5), ...keys.map((key) => concat(string(key), string('x'))), zero) }));
  const { attributes } = codec.decodeAs('TextEvent', hostile);
  expect(Object.keys(attributes).sort()).toEqual(keys.sort());
  expect('valueOf' in attributes).toBe(false);
  expect(codec.decodeAs('TextEvent', codec.encode('TextEvent', { ...text, attributes }))).toEqual({ ...text, attributes });
  expect(Object.keys({})).toEqual([]);
});

test('the order of keys does not show', () => {
  const one = codec.encode('TextEvent', { ...text, attributes: { a: '1', b: '2' } });
  expect(codec.encode('TextEvent', { ...text, attributes: { b: '2', a: '1' } })).toEqual(one);
});

test('doubles are whatever the producer sent, NaN in one way', () => {
  const values = { a: NaN, b: -0, c: Infinity };
  const event: RecordEvent = { id: 'r', source: 's', occurredAt: 0, values, tasks: [], attributes: {} };
  const bytes = codec.encode('RecordEvent', event);
  expect({ ...codec.decodeAs('RecordEvent', bytes).values }).toEqual(values);
  const otherNaN = Buffer.from(bytes);
  const position = otherNaN.indexOf(Buffer.from('f87f', 'hex'));
  otherNaN[position] = 0xfb;
  expect(codec.encode('RecordEvent', codec.decodeAs('RecordEvent', otherNaN))).toEqual(bytes);
});

test('decoded bytes are a view of the value: a large image is not copied', () => {
  const bytes = codec.encode('MediaEvent', media);
  const { content } = codec.decodeAs('MediaEvent', bytes);
  expect(content).toEqual(Buffer.from('abc'));
  bytes.fill(0x78);
  expect(content).toEqual(Buffer.from('xxx'));
});

test('an empty map and an empty event of a control are events', () => {
  const tick = { id: 't', family: null, term: 0n, action: { 'labelstream.v1.Tick': {} } };
  expect(structuredClone(codec.decodeAs('ControlEvent', codec.encode('ControlEvent', tick)))).toEqual(tick);
  expect(Object.keys(dictionary([]))).toEqual([]);
});
