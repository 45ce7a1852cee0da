// Values in Confluent's format through the codec, with a registry that answers over HTTP.
import avsc from 'avsc';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openCodec, type Codec } from '../../../src/codec/codec.ts';
import type { EventName } from '../../../src/codec/event-names.ts';
import type { CodecRegistryOptions } from '../../../src/codec/registry/codec-registry.ts';
import { startFaultyRegistry, type FaultyRegistry } from './faulty-registry.ts';
import { concat, long, string, textBody, yes, zero } from '../avro-bytes.ts';
import { hostileMessages } from '../hostile-messages.ts';
import { refusalOf } from '../refusal.ts';
import { clientOf, confluentValue, hastyClock, never, ownSchemaText, rejectionCode, textEvent, type Alert } from './registry-fixture.ts';

vi.setConfig({ testTimeout: 30_000 });

let server: FaultyRegistry;
let textId: number;
beforeEach(async () => {
  server = await startFaultyRegistry();
  server.register('something', '"int"');
  textId = server.register('text.events-value', await ownSchemaText('TextEvent'));
});
afterEach(() => server.stop());

async function codecWith(options: Partial<CodecRegistryOptions> = {}): Promise<{ readonly codec: Codec; readonly alerts: readonly Alert[] }> {
  const { registry, alerts } = clientOf(server.url);
  const settings = { subjectStrategy: 'record', topicPrefix: 'shop.', encode: 'single-object', registerSchemas: false, cacheSchemasMax: 16, negativeCacheMs: 60_000, clock: hastyClock } as const;
  return { codec: await openCodec({ registry: { registry, ...settings, ...options } }), alerts };
}

const older = {
  type: 'record', name: 'TextEvent', namespace: 'labelstream.v1',
  fields: [
    { name: 'id', type: 'string' }, { name: 'gone', type: { type: 'record', name: 'Gone', fields: [{ name: 'flag', type: 'boolean' }] } },
    { name: 'source', type: 'bytes' }, { name: 'occurredAt', type: 'int' }, { name: 'text', type: 'string' },
  ],
};

describe('decoding', () => {
  test('waits once for a schema, and never again', async () => {
    const { codec } = await codecWith();
    const value = confluentValue(textId, textBody());
    expect(codec.peekSchema(value)).toBeUndefined();
    expect(refusalOf(() => codec.decode(value))).toMatchObject({ code: 'LS_REGISTRY_UNAVAILABLE', retryable: true });
    const waits = Array.from({ length: 100 }, () => codec.prepareDecode(value));
    expect(waits.every((wait) => wait !== undefined)).toBe(true);
    for (const wait of waits) await wait;
    expect(codec.prepareDecode(value)).toBeUndefined();
    expect(structuredClone(codec.decodeAs('TextEvent', value))).toEqual(textEvent);
    expect(codec.decode(value).schema).toBe('TextEvent');
    expect(codec.peekSchema(value)).toBe('TextEvent');
    expect(codec.schemaIdOf(value)).toBe(`registry:${textId}`);
    expect(refusalOf(() => codec.decodeAs('RecordEvent', value))?.code).toBe('LS_CODEC_SCHEMA_UNEXPECTED');
    expect(server.requests).toHaveLength(1);
  });

  test('takes single-objects as before, without a word to the registry', async () => {
    const { codec } = await codecWith();
    const value = codec.encode('TextEvent', textEvent);
    expect(value.subarray(0, 2).toString('hex')).toBe('c301');
    expect(codec.prepareDecode(value)).toBeUndefined();
    expect(structuredClone(codec.decodeAs('TextEvent', value))).toEqual(textEvent);
    expect(codec.prepareDecode(Buffer.alloc(0))).toBeUndefined();
    expect(codec.prepareDecode(Buffer.from('{"id": 1}'))).toBeUndefined();
    expect(server.requests).toEqual([]);
  });

  test("resolves the writer's schema to ours", async () => {
    const { codec } = await codecWith();
    const value = confluentValue(server.register('s', JSON.stringify(older)), concat(string('a'), yes, string('tests'), long(5), string('t')));
    await codec.prepareDecode(value);
    expect(structuredClone(codec.decodeAs('TextEvent', value))).toEqual({ ...textEvent, id: 'a', occurredAt: 5, text: 't' });
  });

  test('follows references', async () => {
    const version = (name: string) => ({ name: `labelstream.v1.${name}`, subject: name, version: 1 });
    for (const name of ['Origin', 'Revision']) server.register(name, await ownSchemaText(name));
    const labelId = server.register('LabelEvent', await ownSchemaText('LabelEvent'), [version('Origin'), version('Revision')]);
    const { codec } = await codecWith();
    const value = confluentValue(labelId, Buffer.alloc(0));
    await codec.prepareDecode(value);
    expect(codec.peekSchema(value)).toBe('LabelEvent');
  });

  test('is guarded by the limits as any message is', async () => {
    const { codec } = await codecWith();
    await codec.prepareDecode(confluentValue(textId, zero));
    const bomb = confluentValue(textId, textBody({ tasks: concat(long(2 ** 31), zero, zero) }));
    expect(refusalOf(() => codec.decode(bomb))).toMatchObject({ code: 'LS_CODEC_MALFORMED', details: { reason: 'truncated' } });
    expect(refusalOf(() => codec.decode(confluentValue(textId, Buffer.alloc(0))))).toMatchObject({ details: { position: 5 } });
    expect(refusalOf(() => codec.decode(confluentValue(textId, concat(textBody(), zero))))).toMatchObject({ details: { reason: 'trailing-bytes' } });
    const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? Date.now() % 2 ** 31);
    for (const { bytes } of hostileMessages(seed, 500)) {
      const hostile = confluentValue(textId, bytes.subarray(10));
      expect(refusalOf(() => codec.decode(hostile))?.description.cause ?? 'input', `seed ${seed}, ${hostile.toString('hex').slice(0, 80)}`).toBe('input');
    }
  });
});

describe('schemas of no use', () => {
  const codeOf = async (schema: unknown, type = 'AVRO'): Promise<string | undefined> => {
    const { codec, alerts } = await codecWith();
    const value = confluentValue(server.register('s', typeof schema === 'string' ? schema : JSON.stringify(schema), [], type), textBody());
    await codec.prepareDecode(value);
    expect(alerts).toEqual([]);
    return refusalOf(() => codec.decode(value))?.code;
  };
  const named = (fields: unknown) => ({ type: 'record', name: 'labelstream.v1.TextEvent', fields });
  const namedText = (fields: string): string => `{"type":"record","name":"labelstream.v1.TextEvent","fields":${fields}}`;

  test.each<[string, unknown, string]>([
    ['of no event', { type: 'record', name: 'shop.Order', fields: [] }, 'FOREIGN'],
    ['of a part of events', { type: 'record', name: 'labelstream.v1.Origin', fields: [] }, 'FOREIGN'],
    ['of an event of another namespace', { type: 'record', name: 'TextEvent', fields: [] }, 'FOREIGN'],
    ['without a name', '"string"', 'FOREIGN'],
    ['an empty union', [], 'FOREIGN'],
    ['an event that lacks fields', named([]), 'UNREADABLE'],
    ['an event that is an enum', { type: 'enum', name: 'labelstream.v1.TextEvent', symbols: ['a'] }, 'UNREADABLE'],
    ['an event with a wrong default', named([{ name: 'id', type: 'string', default: 5 }]), 'UNREADABLE'],
    ['an event of itself without end', named([{ name: 'next', type: 'labelstream.v1.TextEvent' }]), 'UNREADABLE'],
    ['types that nobody defines', named([{ name: 'id', type: 'x.Unknown' }]), 'UNREADABLE'],
    ['nested without end', namedText(`[{"name":"deep","type":${'{"type":"array","items":'.repeat(5_000)}"int"${'}'.repeat(5_000)}}]`), 'UNREADABLE'],
    ['a name that is a trap', named([{ name: '__proto__', type: 'string' }]), 'UNREADABLE'],
    ['aliases nested without end', namedText(`[{"name":"id","type":"string","aliases":${'['.repeat(20_000)}${']'.repeat(20_000)}}]`), 'UNREADABLE'],
    ['no schema at all', 'null', 'UNREADABLE'],
    ['a number', '5', 'UNREADABLE'],
  ])('%s', async (_, schema, code) => {
    expect(await codeOf(schema)).toBe(`LS_REGISTRY_SCHEMA_${code}`);
  });

  test('as large as is allowed, they take no more than moments', async () => {
    const fields = Array.from({ length: 3_000 }, (_, index) => ({ name: `f${index}`, type: 'int' }));
    const branches = Array.from({ length: 2_000 }, (_, index) => ({ type: 'fixed', name: `x.F${index}`, size: 1 }));
    const startedMs = performance.now();
    expect(await codeOf(named(fields))).toBe('LS_REGISTRY_SCHEMA_UNREADABLE');
    expect(await codeOf(named([{ name: 'a', type: branches }]))).toBe('LS_REGISTRY_SCHEMA_UNREADABLE');
    expect(performance.now() - startedMs).toBeLessThan(20_000);
  });
});

describe('an id that the registry does not have', () => {
  test('is asked for again only after a while', async () => {
    let nowMs = 0;
    const { codec } = await codecWith({ clock: { ...hastyClock, elapsedMs: () => nowMs } });
    const value = confluentValue(3, textBody());
    await codec.prepareDecode(value);
    for (let count = 0; count < 10; count++) {
      expect(codec.prepareDecode(value)).toBeUndefined();
      expect(refusalOf(() => codec.decode(value))).toMatchObject({ code: 'LS_REGISTRY_SCHEMA_UNKNOWN', retryable: false, description: { cause: 'input' } });
    }
    expect(server.requests).toHaveLength(3);
    expect(server.register('late', (await ownSchemaText('TextEvent')).replace('"name": "text"', '"doc": "late", "name": "text"'))).toBe(3);
    nowMs = 59_999;
    expect(codec.prepareDecode(value)).toBeUndefined();
    nowMs = 60_000;
    // Until it has been asked again, what was said before holds.
    expect(refusalOf(() => codec.decode(value))?.code).toBe('LS_REGISTRY_SCHEMA_UNKNOWN');
    await codec.prepareDecode(value);
    expect(codec.decodeAs('TextEvent', value).id).toBe('doc-1');
    expect(server.requests).toHaveLength(4);
  });

  test('pushes out nothing that serves, however many there are', async () => {
    const { codec } = await codecWith({ cacheSchemasMax: 16 });
    const value = confluentValue(textId, textBody());
    await codec.prepareDecode(value);
    await Promise.all(Array.from({ length: 100 }, async (_, index) => codec.prepareDecode(confluentValue(1_000 + index, zero))));
    expect(server.requests).toHaveLength(301);
    expect(codec.prepareDecode(value)).toBeUndefined();
    expect(codec.prepareDecode(confluentValue(1_099, zero))).toBeUndefined();
    expect(codec.prepareDecode(confluentValue(1_000, zero))).toBeDefined();
  });
});

test('of many schemas the latest used are kept', async () => {
  const { codec } = await codecWith({ cacheSchemasMax: 16 });
  const text = await ownSchemaText('TextEvent');
  const ids = Array.from({ length: 20 }, (_, index) => server.register('s', text.replace('"name": "text"', `"doc": "${index}", "name": "text"`)));
  const first = confluentValue(ids[0] ?? 0, textBody());
  for (const id of ids) {
    await codec.prepareDecode(confluentValue(id, textBody()));
    expect(codec.prepareDecode(first)).toBeUndefined();
    codec.decode(first);
  }
  const forgotten = codec.prepareDecode(confluentValue(ids[1] ?? 0, textBody()));
  expect(forgotten).toBeDefined();
  await forgotten;
  expect(server.requests).toHaveLength(21);
});

describe('an outage', () => {
  test('is waited for, by all who need the schema, and nobody is refused', async () => {
    const { codec, alerts } = await codecWith();
    await server.stop();
    const value = confluentValue(textId, textBody());
    const waits = Array.from({ length: 50 }, async () => codec.prepareDecode(value));
    await vi.waitUntil(() => alerts.length > 2);
    await server.start();
    await Promise.all(waits);
    expect(codec.decodeAs('TextEvent', value).id).toBe('doc-1');
    expect(server.requests).toHaveLength(1);
  });

  test('is left by who does not wait any more; the last one ends the request', async () => {
    const { codec } = await codecWith();
    server.fault = () => 'hang';
    const value = confluentValue(textId, textBody());
    const leaving = [new AbortController(), new AbortController()];
    const waits = leaving.map(async (controller) => rejectionCode(codec.prepareDecode(value, controller)));
    await vi.waitUntil(() => server.requests.length === 1);
    leaving[0]?.abort(new Error('first'));
    expect(await waits[0]).toBe('Error: first');
    server.fault = () => undefined;
    const late = codec.prepareDecode(value, { signal: never });
    expect(server.requests).toHaveLength(1);
    leaving[1]?.abort(new Error('second'));
    expect(await waits[1]).toBe('Error: second');
    // The request hangs on for the one who came last, until its time is over.
    await late;
    expect(codec.decodeAs('TextEvent', value).id).toBe('doc-1');
  });
});

describe('writing in the format', () => {
  const names: readonly EventName[] = ['MediaEvent', 'TextEvent', 'RecordEvent', 'FeatureEvent', 'ControlEvent', 'LabelEvent', 'ClusterEvent', 'MetricEvent'];

  test.each<['record' | 'topic-record', (name: EventName) => string]>([
    ['record', (name) => `labelstream.v1.${name}`],
    ['topic-record', (name) => `shop.${{
      MediaEvent: 'media.events', TextEvent: 'text.events', RecordEvent: 'record.events', FeatureEvent: 'features', ControlEvent: 'features', LabelEvent: 'labels',
      ClusterEvent: 'cluster-events', MetricEvent: 'metrics',
    }[name]}-labelstream.v1.${name}`],
  ])('registers each schema under its subject by the strategy %s', async (subjectStrategy, subjectOf) => {
    const { codec } = await codecWith({ encode: 'confluent', registerSchemas: true, subjectStrategy });
    await codec.prepareEncode();
    expect([...server.subjects().keys()].sort()).toEqual(['something', 'text.events-value', ...names.map(subjectOf)].sort());
    // Somebody else's reader, with nothing but what is in the registry.
    const value = codec.encode('TextEvent', { ...textEvent, tasks: ['a'], attributes: { k: 'v' } });
    expect(value[0]).toBe(0);
    const schema = JSON.parse(server.schemaText(value.readInt32BE(1)) ?? '') as avsc.Schema;
    expect(JSON.stringify(schema)).toContain('"namespace":"labelstream.v1"');
    const read = avsc.Type.forSchema(schema).fromBuffer(value.subarray(5)) as typeof textEvent;
    expect(read).toMatchObject({ ...textEvent, occurredAt: textEvent.occurredAt, tasks: ['a'], attributes: { k: 'v' } });
    const before = server.requests.length;
    expect(codec.prepareDecode(value)).toBeUndefined();
    expect(codec.decodeAs('TextEvent', value).tasks).toEqual(['a']);
    expect(server.requests).toHaveLength(before);
  });

  test('the bodies are those of single-objects, behind another header', async () => {
    const { codec } = await codecWith({ encode: 'confluent', registerSchemas: true });
    await codec.prepareEncode();
    const plain = await openCodec();
    const large = { ...textEvent, text: 'é'.repeat(100_000) };
    for (const event of [textEvent, large]) expect(codec.encode('TextEvent', event).subarray(5)).toEqual(plain.encode('TextEvent', event).subarray(10));
  });

  test('what is registered says all that the files say, with what they refer to', async () => {
    const { codec } = await codecWith({ encode: 'confluent', registerSchemas: true });
    await codec.prepareEncode();
    const [label = ''] = server.subjects().get('labelstream.v1.LabelEvent') ?? [];
    for (const part of ['"doc":"One result for one input and route step."', '"name":"Origin","namespace":"labelstream.v1"', '"logicalType":"timestamp-millis"', '"default":null']) {
      expect(label).toContain(part);
    }
    // In a registry of one's own files it is the same schema by fingerprint.
    const { codec: other } = await codecWith();
    const value = confluentValue([...Array(20).keys()].find((id) => server.schemaText(id) === label) ?? 0, zero);
    await other.prepareDecode(value);
    expect(other.peekSchema(value)).toBe('LabelEvent');
  });

  test('finds what is registered, and registers nothing', async () => {
    const registering = await codecWith({ encode: 'confluent', registerSchemas: true });
    await registering.codec.prepareEncode();
    const { codec } = await codecWith({ encode: 'confluent' });
    const before = server.requests.length;
    await codec.prepareEncode();
    expect(server.requests.slice(before).every(({ method, path }) => method === 'POST' && !path.includes('/versions'))).toBe(true);
    expect(codec.encode('TextEvent', textEvent)).toEqual(registering.codec.encode('TextEvent', textEvent));
  });

  test('is refused where a schema is not registered, with what to do', async () => {
    const { codec } = await codecWith({ encode: 'confluent' });
    await expect(codec.prepareEncode()).rejects.toMatchObject({
      code: 'LS_REGISTRY_NOT_REGISTERED', details: { subject: 'labelstream.v1.MediaEvent' }, description: { remedy: expect.stringContaining('registry.registerSchemas: true') as string },
    });
    expect(refusalOf(() => codec.encode('TextEvent', textEvent))?.code).toBe('LS_REGISTRY_UNAVAILABLE');
  });

  test('an outage at the start is waited for, as long as the process is to run', async () => {
    const { codec, alerts } = await codecWith({ encode: 'confluent', registerSchemas: true });
    await server.stop();
    const leaving = new AbortController();
    const left = rejectionCode(codec.prepareEncode(leaving));
    const prepared = codec.prepareEncode();
    await vi.waitUntil(() => alerts.length > 1);
    leaving.abort(new Error('stopped'));
    expect(await left).toBe('Error: stopped');
    await server.start();
    await prepared;
    expect(codec.encode('TextEvent', textEvent)[0]).toBe(0);
  });

  test('schemas can be registered for others, with single-objects written', async () => {
    const { codec } = await codecWith({ registerSchemas: true });
    await codec.prepareEncode();
    expect(server.subjects().size).toBe(2 + names.length);
    expect(codec.encode('TextEvent', textEvent)[0]).toBe(0xc3);
  });
});
