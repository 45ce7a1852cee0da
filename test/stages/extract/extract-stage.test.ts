import { beforeAll, describe, expect, test } from 'vitest';
import { openCodec, type Codec } from '../../../src/codec/codec.ts';
import type { FeatureEvent, LabelEvent, RecordEvent, TextEvent } from '../../../src/core/events.generated.ts';
import { LabelstreamError } from '../../../src/core/errors/error.ts';
import { recordBytes, type ConsumedRecord, type OutputRecord } from '../../../src/core/records.ts';
import { orderSteps, type Route } from '../../../src/core/routes.ts';
import { compileTemplate } from '../../../src/core/templates.ts';
import type { ModelInput, ModelOutput, Models } from '../../../src/models/model-port.ts';
import { encodeOrigin, headerNames } from '../../../src/pipeline/headers.ts';
import { recordLimits } from '../../../src/pipeline/record-limits.ts';
import type { Processed } from '../../../src/pipeline/stage.ts';
import { createExtractStage } from '../../../src/stages/extract/extract-stage.ts';
import { createMediaContent } from '../../../src/stages/extract/media-content.ts';
import type { ExtractOptions } from '../../../src/stages/extract/options.ts';
import { tasks } from '../../../src/tasks/registry.ts';

let codec: Codec;
beforeAll(async () => {
  codec = await openCodec();
});

type Answer = (input: ModelInput) => ModelOutput;

/** Models that answer by a function: what EXTRACT makes of answers and errors is tested here, not inference. */
function modelsOf(answers: Readonly<Record<string, Answer>>): Models {
  return {
    describe: (name) => ({ name, model: `${name}-model`, task: 't', version: '1.2.0', labels: ['Cat', 'Dog'], dimensions: 2, reproducible: true }),
    run: async (name, input, { signal }) => {
      signal.throwIfAborted();
      const answer = answers[name];
      if (answer === undefined) throw new Error(`no model ${name}`);
      return Promise.resolve(answer(input));
    },
  };
}

function route(name: string, from: Route['from'], steps: readonly { name: string; task: string; model: string; collection?: string }[]): Route {
  const compiled = steps.map(({ collection, ...step }) => {
    const template = collection === undefined ? undefined : compileTemplate(collection);
    if (template !== undefined && 'mistake' in template) throw new Error(template.mistake);
    return { ...step, collection: template };
  });
  const order = orderSteps(compiled);
  return { name, from, where: {}, steps: 'ordered' in order ? order.ordered : [] };
}

const scores = (...values: number[]): ModelOutput => ({ kind: 'scores', scores: Float32Array.from(values) });
const vector = (...values: number[]): ModelOutput => ({ kind: 'vector', vector: Float32Array.from(values) });

const classifyAndEmbed = route('pets', 'text', [
  { name: 'embed', task: 'text-features', model: 'encoder', collection: 'pets-${labels.classify|other}' },
  { name: 'classify', task: 'text-classification', model: 'classifier' },
]);

function text(fields: Partial<TextEvent> = {}): TextEvent {
  return { id: 'a', source: 's', occurredAt: 5, text: 'a cat', language: null, tasks: [], collection: null, attributes: {}, deleted: false, ...fields };
}

function consumed(value: Buffer, fields: Partial<ConsumedRecord> = {}): ConsumedRecord {
  return {
    topic: 'text.events', partition: 1, incarnation: 'i1', sequence: 7n, nextPosition: '8', appendTimeMs: 99, key: Buffer.from('k'), value, headers: new Map(),
    ...fields,
  };
}

async function process(record: ConsumedRecord, fields: Partial<ExtractOptions> = {}, signal = new AbortController().signal): Promise<Processed> {
  const stage = createExtractStage({
    codec,
    routes: [classifyAndEmbed],
    tasks,
    models: modelsOf({ classifier: () => scores(0.9, 0.1), encoder: () => vector(1, 2) }),
    media: createMediaContent({ directories: [], bytesMax: 1000, heldBytesMax: 1000 }),
    revisions: new Map([['classifier', 3]]),
    allowedNames: new Map(),
    partitionCounts: new Map([['features', 4], ['labels', 4], ['dead-letters', 4]]),
    previewLengthMax: 3,
    recordBytesMax: 100_000,
    unrouted: 'dead-letter',
    ...fields,
  });
  return stage.process(record, { signal, retry: (operation) => operation(1) });
}

function header(output: OutputRecord | undefined, name: string): string | undefined {
  return output?.headers.get(name)?.toString();
}

const labelOf = (output: OutputRecord | undefined): LabelEvent => codec.decodeAs('LabelEvent', output!.value);
const featureOf = (output: OutputRecord | undefined): FeatureEvent => codec.decodeAs('FeatureEvent', output!.value);

describe('results', () => {
  test('a label and a feature event, named by origin, route step, model and revision', async () => {
    const { outputs, systemFailures } = await process(consumed(codec.encode('TextEvent', text({ attributes: { a: 'b' } }))));
    expect(systemFailures).toEqual([]);
    expect(outputs.map(({ topic }) => topic)).toEqual(['labels', 'features']);
    const label = labelOf(outputs[0]);
    expect(label).toMatchObject({
      inputId: 's/a', itemId: 's/a', routeStep: 'pets/classify', task: 'text-classification', model: 'classifier-model', modelVersion: '1.2.0',
      revision: { epoch: 0, number: 3n }, origin: { topic: 'text.events', incarnation: 'i1', partition: 1, sequence: 7n, appendTime: 99 },
    });
    const feature = featureOf(outputs[1]);
    expect(feature).toMatchObject({
      itemId: 's/a', collection: 'pets-cat', family: 'pets-${labels.classify|other}', dimensions: 2, preview: 'a c', occurredAt: 5, deleted: false,
      read: { incarnation: 'i1', partition: 1, sequence: 7n, index: 0 },
    });
    expect(feature.vector).toEqual(Buffer.from(Float32Array.from([1, 2]).buffer));
    expect({ ...feature.attributes }).toEqual({ a: 'b' });
    expect(outputs[1]?.key?.toString()).toBe('pets-${labels.classify|other}');
  });

  test('the same record gives the same bytes', async () => {
    const record = consumed(codec.encode('TextEvent', text()));
    expect(await process(record)).toEqual(await process(record));
  });

  test('tasks restrict the steps, and bring along what those read', async () => {
    const only = async (tasksWanted: string[]) =>
      (await process(consumed(codec.encode('TextEvent', text({ tasks: tasksWanted }))))).outputs.map(({ topic }) => topic);
    expect(await only(['text-classification'])).toEqual(['labels']);
    expect(await only(['text-features'])).toEqual(['labels', 'features']);
    expect(await only(['record-prediction'])).toEqual(['dead-letters']);
  });

  test('deleted goes to every family of the matching routes, without a model', async () => {
    const second = route('other', 'text', [{ name: 'embed', task: 'text-features', model: 'none', collection: 'all' }]);
    const { outputs } = await process(consumed(codec.encode('TextEvent', text({ deleted: true }))), {
      routes: [classifyAndEmbed, second],
      models: modelsOf({}),
    });
    expect(outputs.map(featureOf).map(({ family, deleted, read }) => [family, deleted, read.index])).toEqual([
      ['pets-${labels.classify|other}', true, 0],
      ['all', true, 1],
    ]);
  });
});

describe('origin', () => {
  const origin = { topic: 'text.events', incarnation: 'i0', partition: 0, sequence: 3n, appendTime: 11 };
  const forged = new Map([[headerNames.origin, encodeOrigin(origin)]]);

  test('a parked record keeps the origin that it brings', async () => {
    const { outputs } = await process(consumed(codec.encode('TextEvent', text()), { topic: 'parked', headers: forged }));
    expect(labelOf(outputs[0]).origin).toEqual(origin);
    expect(featureOf(outputs[1]).read).toMatchObject({ incarnation: 'i1', sequence: 7n });
  });

  test('a producer cannot take the ids of another record', async () => {
    const { outputs } = await process(consumed(codec.encode('TextEvent', text()), { headers: forged }));
    expect(labelOf(outputs[0]).origin.incarnation).toBe('i1');
  });

  test('parking keeps the bytes and notes the origin; a parked record is waited for', () => {
    const stage = createExtractStage({
      codec, routes: [], tasks, models: modelsOf({}), media: createMediaContent({ directories: [], bytesMax: 1, heldBytesMax: 1 }), revisions: new Map(), allowedNames: new Map(), partitionCounts: new Map(),
      previewLengthMax: 0, recordBytesMax: 1000, unrouted: 'drop',
    });
    const record = consumed(Buffer.from([1, 2, 3]), { headers: new Map([['mine', Buffer.from('x')], ...forged]) });
    const parked = stage.park(record);
    expect(parked).toMatchObject({ topic: 'parked', key: record.key, value: record.value });
    expect(parked?.headers.get('mine')?.toString()).toBe('x');
    expect(parked?.headers.get(headerNames.origin)).toEqual(
      encodeOrigin({ topic: 'text.events', incarnation: 'i1', partition: 1, sequence: 7n, appendTime: 99 }),
    );
    for (const topic of ['parked', 'redrive', 'replay']) expect(stage.park({ ...record, topic })).toBeUndefined();
  });
});

describe('failures', () => {
  const failing = (code: string, cause: 'input' | 'environment'): Answer => () => {
    throw new LabelstreamError(code, { cause, retryable: false, summary: '', remedy: '' }, `broken ${code}`);
  };

  test('a failed step is one dead letter; its siblings go on', async () => {
    const value = codec.encode('TextEvent', text());
    const { outputs, systemFailures } = await process(consumed(value), {
      models: modelsOf({ classifier: () => scores(0.1, 0.9), encoder: failing('LS_TEST_DOWN', 'environment') }),
    });
    expect(outputs.map(({ topic }) => topic)).toEqual(['labels', 'dead-letters']);
    expect(systemFailures).toEqual(['LS_TEST_DOWN']);
    expect(outputs[1]?.value).toEqual(value);
    expect(header(outputs[1], headerNames.errorCode)).toBe('LS_TEST_DOWN');
    expect(header(outputs[1], headerNames.errorRouteSteps)).toBe('pets/embed');
    expect(header(outputs[1], headerNames.errorResults)).toBe('{"classify":"Dog"}');
  });

  test('a step that needs a failed one is not run, and one dead letter names both', async () => {
    let asked = 0;
    const { outputs, systemFailures } = await process(consumed(codec.encode('TextEvent', text())), {
      models: modelsOf({ classifier: failing('LS_TEST_BAD', 'input'), encoder: () => (asked++, vector(1, 1)) }),
    });
    expect(asked).toBe(0);
    expect(outputs.map(({ topic }) => topic)).toEqual(['dead-letters']);
    expect(systemFailures).toEqual([]);
    expect(header(outputs[0], headerNames.errorRouteSteps)).toBe('pets/classify,pets/embed');
  });

  test('an error of another kind is a failure of the system', async () => {
    const { outputs, systemFailures } = await process(consumed(codec.encode('TextEvent', text())), { models: modelsOf({}) });
    expect(systemFailures).toEqual(['LS_EXTRACT_STEP_FAILED']);
    expect(header(outputs[0], headerNames.errorCode)).toBe('LS_EXTRACT_STEP_FAILED');
  });

  test.each([
    ['LS_EXTRACT_EVENT_INVALID', { source: 'a/b' }],
    ['LS_EXTRACT_EVENT_INVALID', { id: '' }],
    ['LS_EXTRACT_EVENT_INVALID', { id: 'x'.repeat(513) }],
    ['LS_TASK_INPUT', { text: '  ' }],
  ] as const)('%s for %j', async (code, fields) => {
    const { outputs } = await process(consumed(codec.encode('TextEvent', text(fields))), { routes: [route('r', 'text', [{ name: 'c', task: 'text-classification', model: 'classifier' }])] });
    expect(outputs.map(({ topic }) => topic)).toEqual(['dead-letters']);
    expect(header(outputs[0], headerNames.errorCode)).toBe(code);
  });

  test('what is no event, or of the wrong kind for its topic, is a dead letter with its bytes', async () => {
    const record: RecordEvent = { id: 'a', source: 's', occurredAt: 0, values: {}, tasks: [], attributes: {} };
    const wrong = await process(consumed(codec.encode('RecordEvent', record)));
    expect(header(wrong.outputs[0], headerNames.errorCode)).toBe('LS_EXTRACT_SCHEMA_UNEXPECTED');
    const garbage = await process(consumed(Buffer.from('garbage')));
    expect(header(garbage.outputs[0], headerNames.errorCode)).toBe('LS_CODEC_FORMAT');
    expect(garbage.outputs[0]?.value).toEqual(Buffer.from('garbage'));
    const label = await process(consumed(wrong.outputs[0]!.value, { topic: 'parked' }));
    expect(header(label.outputs[0], headerNames.errorCode)).toBe('LS_EXTRACT_UNROUTED');
  });

  test('an event that no route takes is a dead letter, or dropped where the configuration says so', async () => {
    const record = consumed(codec.encode('TextEvent', text()));
    expect(header((await process(record, { routes: [] })).outputs[0], headerNames.errorCode)).toBe('LS_EXTRACT_UNROUTED');
    expect(await process(record, { routes: [], unrouted: 'drop' })).toEqual({ outputs: [], systemFailures: [] });
  });

  test('a task that does not exist, or that no route of the event has, is never passed over in silence', async () => {
    const code = async (tasksWanted: string[]) => header((await process(consumed(codec.encode('TextEvent', text({ tasks: tasksWanted }))))).outputs[0], headerNames.errorCode);
    expect(await code(['text-featurez'])).toBe('LS_EXTRACT_TASK_UNKNOWN');
    expect(await code(['text-features', 'text-featurez'])).toBe('LS_EXTRACT_TASK_UNKNOWN');
    expect(await code(['record-prediction'])).toBe('LS_EXTRACT_UNROUTED');
  });

  test('the place of a feature among the outputs does not shift when an earlier step fails', async () => {
    const two = route('r', 'text', [
      { name: 'first', task: 'text-features', model: 'flaky', collection: 'a' },
      { name: 'second', task: 'text-features', model: 'encoder', collection: 'b' },
    ]);
    const indexes = async (flaky: Answer) =>
      (await process(consumed(codec.encode('TextEvent', text())), { routes: [two], models: modelsOf({ flaky, encoder: () => vector(1, 2) }) })).outputs
        .filter(({ topic }) => topic === 'features')
        .map((output) => [featureOf(output).family, featureOf(output).read.index]);
    expect(await indexes(() => vector(1, 2))).toEqual([['a', 0], ['b', 1]]);
    expect(await indexes(failing('LS_TEST_DOWN', 'environment'))).toEqual([['b', 1]]);
  });

  test('a collection name that is empty or not allowed', async () => {
    const byEvent = route('r', 'text', [{ name: 'e', task: 'text-features', model: 'encoder', collection: 'in-${collection}' }]);
    const code = async (collection: string | null) =>
      header(
        (await process(consumed(codec.encode('TextEvent', text({ collection }))), { routes: [byEvent], allowedNames: new Map([['in-${collection}', new Set(['in-a'])]]) })).outputs[0],
        headerNames.errorCode,
      );
    expect(await code(null)).toBe('LS_EXTRACT_COLLECTION_EMPTY');
    expect(await code('b')).toBe('LS_EXTRACT_COLLECTION_NOT_ALLOWED');
    expect(await code('A')).toBeUndefined();
  });

  test('a result too large for a record is a dead letter in its place', async () => {
    const large = text({ attributes: { note: 'x'.repeat(1000) } });
    const { outputs } = await process(consumed(codec.encode('TextEvent', large)), { recordBytesMax: 900 });
    expect(outputs.map(({ topic }) => topic)).toEqual(['labels', 'dead-letters']);
    expect(outputs.map((output) => header(output, headerNames.errorCode))).toContain('LS_EXTRACT_OUTPUT_TOO_LARGE');
  });

  test('an aborted record gives no outputs at all', async () => {
    const controller = new AbortController();
    controller.abort(new Error('parked'));
    await expect(process(consumed(codec.encode('TextEvent', text())), {}, controller.signal)).rejects.toThrow('parked');
  });
});

describe('the headers of an input', () => {
  const trace = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', tracestate: `a=${'x'.repeat(255)},b=${'x'.repeat(252)}` };
  const sent = { ...trace, ce_id: 'theirs', ce_type: 'com.example.note', 'content-type': 'avro/binary' };
  const traced = (fields: Partial<ConsumedRecord> = {}, event = text()): ConsumedRecord =>
    consumed(codec.encode('TextEvent', event), { headers: new Map(Object.entries(sent).map(([name, value]) => [name, Buffer.from(value)])), ...fields });
  const texts = (output: OutputRecord | undefined): object => Object.fromEntries([...(output?.headers ?? [])].map(([name, value]) => [name, value.toString()]));

  test('that name its trace go with all that comes of it; others stay with its own bytes', async () => {
    const { outputs } = await process(traced());
    expect(outputs.map(texts)).toEqual([trace, trace]);
    expect((await process(traced())).outputs).toEqual(outputs);
    const [deleted] = (await process(traced({}, text({ deleted: true })))).outputs;
    expect(texts(deleted)).toEqual(trace);
    expect(texts((await process(traced({ value: Buffer.from('poison') }))).outputs[0])).toMatchObject(sent);
    const [again] = (await process(traced({ topic: 'replay', headers: new Map([...traced().headers, [headerNames.runAttempts, Buffer.from('2')]]) }))).outputs.slice(-1);
    expect(texts(again)).toEqual({ [headerNames.runAttempts]: '2', ...trace });
  });

  test('push no result over its limit', async () => {
    const bare = (await process(consumed(traced().value))).outputs;
    const recordBytesMax = Math.max(...bare.map(recordBytes));
    const { outputs } = await process(traced(), { recordBytesMax, cloudEventSource: '/labelstream/g' });
    expect(outputs.map(({ topic }) => topic)).toEqual(['labels', 'features']);
    expect(outputs.map(({ value }) => value)).toEqual(bare.map(({ value }) => value));
    for (const output of outputs) expect(recordBytes(output)).toBeLessThanOrEqual(recordLimits(recordBytesMax).bytesMax(output.topic));
    expect(texts(outputs[0])).toEqual({ ...trace, ce_specversion: '1.0', ce_id: labelOf(outputs[0]).id, ce_source: '/labelstream/g', ce_type: 'labelstream.v1.LabelEvent', 'content-type': 'application/avro' });
    expect(texts(outputs[1])).toMatchObject({ ...trace, ce_id: featureOf(outputs[1]).id, ce_type: 'labelstream.v1.FeatureEvent' });
  });
});

describe('a redrive', () => {
  const origin = { topic: 'text.events', incarnation: 'i0', partition: 0, sequence: 3n, appendTime: 11 };
  const redriven = (headers: Readonly<Record<string, string>>, fields: Partial<ConsumedRecord> = {}, event = text()): ConsumedRecord =>
    consumed(codec.encode('TextEvent', event), {
      topic: 'redrive',
      headers: new Map([[headerNames.origin, encodeOrigin(origin)], ...Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)] as const)]),
      ...fields,
    });
  const failing: Answer = () => {
    throw new LabelstreamError('LS_TEST_BAD', { cause: 'input', retryable: false, summary: '', remedy: '' }, 'broken');
  };

  test('runs the steps that it names, with the labels that it brings, under the first ids', async () => {
    const record = redriven({ [headerNames.runRouteSteps]: 'pets/embed', [headerNames.runResults]: '{"classify":"Dog"}', [headerNames.runAttempts]: '2' });
    const asked: string[] = [];
    const models = modelsOf({ classifier: () => (asked.push('classifier'), scores(0.9, 0.1)), encoder: () => (asked.push('encoder'), vector(1, 2)) });
    const { outputs } = await process(record, { models });
    expect(asked).toEqual(['encoder']);
    expect(outputs.map(({ topic }) => topic)).toEqual(['features']);
    const first = await process(consumed(record.value, { incarnation: origin.incarnation, partition: origin.partition, sequence: origin.sequence, appendTimeMs: origin.appendTime }));
    expect(featureOf(outputs[0])).toMatchObject({ id: featureOf(first.outputs[1]).id, collection: 'pets-dog', origin, read: { incarnation: 'i1', partition: 1, sequence: 7n, index: 0 } });
    expect(header(outputs[0], headerNames.runAttempts)).toBe('2');
  });

  test.each(['', '[]', 'null', '{"classify":7}', '{"other":"x"}', '{'])('runs the steps whose labels it does not bring: %j', async (results) => {
    const { outputs } = await process(redriven({ [headerNames.runRouteSteps]: 'pets/embed', [headerNames.runResults]: results }));
    expect(outputs.map(({ topic }) => topic)).toEqual(['labels', 'features']);
    expect(featureOf(outputs[1]).collection).toBe('pets-cat');
  });

  test('tells what comes of it which redrive it was, so that copies of it give the same; a replay and a forged header tell nothing', async () => {
    const headers = { [headerNames.runRouteSteps]: 'pets/embed', [headerNames.runResults]: '{"classify":"Dog"}', [headerNames.redriveOf]: '0123456789abcdef', [headerNames.redriveNumber]: '2' };
    const causeOf = async (record: ConsumedRecord): Promise<string | undefined> => header((await process(record)).outputs[0], headerNames.redriveCause);
    expect(await causeOf(redriven(headers))).toBe('0123456789abcdef 2 0');
    expect(await causeOf({ ...redriven(headers), value: Buffer.from('garbage') })).toBe('0123456789abcdef 2');
    expect(await causeOf(redriven(headers, { topic: 'replay' }))).toBeUndefined();
    expect(await causeOf(redriven({ ...headers, [headerNames.redriveOf]: 'x' }))).toBeUndefined();
    expect(await causeOf(redriven({ ...headers, [headerNames.redriveNumber]: '' }))).toBeUndefined();
  });

  test('that fails again keeps origin, steps and labels; its attempts rise', async () => {
    const record = redriven({ [headerNames.runRouteSteps]: 'pets/embed', [headerNames.runResults]: '{"classify":"Dog"}', [headerNames.runAttempts]: '2', [headerNames.redriveOf]: 'x' });
    const { outputs } = await process(record, { models: modelsOf({ encoder: failing }) });
    expect(outputs.map(({ topic }) => topic)).toEqual(['dead-letters']);
    expect(outputs[0]?.headers.get(headerNames.origin)).toEqual(encodeOrigin(origin));
    const told = [headerNames.errorRouteSteps, headerNames.errorResults, headerNames.errorAttempt, headerNames.readTopic, headerNames.runRouteSteps, headerNames.runAttempts, headerNames.redriveOf];
    expect(told.map((name) => header(outputs[0], name))).toEqual(['pets/embed', '{"classify":"Dog"}', '3', 'redrive', undefined, undefined, undefined]);
  });

  test('of what can no longer be read keeps the steps and labels, too', async () => {
    const record = { ...redriven({ [headerNames.runRouteSteps]: 'pets/embed', [headerNames.runResults]: '{"classify":"Dog"}' }), value: Buffer.from('garbage') };
    const { outputs } = await process(record);
    expect([headerNames.errorCode, headerNames.errorRouteSteps, headerNames.errorResults].map((name) => header(outputs[0], name))).toEqual(['LS_CODEC_FORMAT', 'pets/embed', '{"classify":"Dog"}']);
  });

  test('of a step that is gone runs nothing and loses nothing', async () => {
    const { outputs, systemFailures } = await process(redriven({ [headerNames.runRouteSteps]: 'pets/embed,pets/former' }));
    expect(outputs.map(({ topic }) => topic)).toEqual(['dead-letters']);
    expect(systemFailures).toEqual([]);
    expect([headerNames.errorCode, headerNames.errorRouteSteps].map((name) => header(outputs[0], name))).toEqual(['LS_EXTRACT_STEP_UNKNOWN', 'pets/embed,pets/former']);
  });

  test('of an event that came into the wrong topic is refused as at first', async () => {
    const value = codec.encode('RecordEvent', { id: 'a', source: 's', occurredAt: 0, values: {}, tasks: [], attributes: {} });
    const { outputs } = await process({ ...redriven({}), value });
    expect(header(outputs[0], headerNames.errorCode)).toBe('LS_EXTRACT_SCHEMA_UNEXPECTED');
  });

  test('of a deletion goes to the families of its steps only', async () => {
    const second = route('other', 'text', [{ name: 'embed', task: 'text-features', model: 'none', collection: 'all' }]);
    const { outputs } = await process(redriven({ [headerNames.runRouteSteps]: 'other/embed' }, {}, text({ deleted: true })), { routes: [classifyAndEmbed, second] });
    expect(outputs.map(featureOf).map(({ family, deleted, origin: from }) => [family, deleted, from])).toEqual([['all', true, origin]]);
  });

  test('counts in topics of our own alone: no producer chooses the steps, and nothing of it travels through parked', async () => {
    const headers = { [headerNames.runRouteSteps]: 'pets/embed', [headerNames.runResults]: '{"classify":"Dog"}', [headerNames.runAttempts]: '9' };
    for (const topic of ['text.events', 'parked']) {
      const { outputs } = await process(redriven(headers, { topic }));
      expect(outputs.map(({ topic: to }) => to), topic).toEqual(['labels', 'features']);
      expect(outputs[1]?.headers.size).toBe(0);
    }
  });

  test('without steps, and a replay, run all that the event asks for', async () => {
    for (const topic of ['redrive', 'replay']) {
      const { outputs } = await process(redriven({}, { topic }));
      expect(outputs.map(({ topic: to }) => to), topic).toEqual(['labels', 'features']);
      expect(labelOf(outputs[0]).origin).toEqual(origin);
    }
  });
});
