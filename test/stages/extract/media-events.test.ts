// What EXTRACT makes of media events: their content is read once, and where it cannot be had there is one dead letter for all steps.
import { beforeAll, expect, test } from 'vitest';
import { openCodec, type Codec } from '../../../src/codec/codec.ts';
import { mediaError } from '../../../src/core/errors/media.ts';
import type { MediaEvent, Reference } from '../../../src/core/events.generated.ts';
import type { ConsumedRecord, OutputRecord } from '../../../src/core/records.ts';
import { orderSteps, type Route } from '../../../src/core/routes.ts';
import { compileTemplate } from '../../../src/core/templates.ts';
import type { ModelInput, Models } from '../../../src/models/model-port.ts';
import { headerNames } from '../../../src/pipeline/headers.ts';
import type { Retry } from '../../../src/pipeline/retry.ts';
import type { Processed } from '../../../src/pipeline/stage.ts';
import { createExtractStage } from '../../../src/stages/extract/extract-stage.ts';
import type { MediaContent } from '../../../src/stages/extract/media-content.ts';
import { tasks } from '../../../src/tasks/registry.ts';

let codec: Codec;
beforeAll(async () => {
  codec = await openCodec();
});

const bytes = Buffer.from('an image');
const reference: Reference = { uri: 'file:///images/a.png', sha256: 'a'.repeat(64), sizeBytes: 8n };
const family = 'pets-${labels.classify|other}';

function petsRoute(): Route {
  const template = compileTemplate(family);
  if ('mistake' in template) throw new Error(template.mistake);
  const steps = [
    { name: 'embed', task: 'image-features', model: 'encoder', collection: template },
    { name: 'classify', task: 'image-classification', model: 'classifier', collection: undefined },
  ];
  const order = orderSteps(steps);
  return { name: 'pets', from: 'media', where: {}, steps: 'ordered' in order ? order.ordered : [] };
}

/** The classifier says what the image's first byte says: a cat below 128, a dog above. */
function models(asked: ModelInput[] = []): Models {
  return {
    describe: (name) => ({ name, model: name, task: 't', version: '1.0.0', labels: ['Cat', 'Dog'], dimensions: 2, reproducible: true }),
    run: (name, input) => {
      asked.push(input);
      const dog = input.kind === 'image' && (input.bytes[0] ?? 0) > 127;
      return Promise.resolve(name === 'encoder' ? { kind: 'vector', vector: Float32Array.of(1, 2) } : { kind: 'scores', scores: dog ? Float32Array.of(0.2, 0.8) : Float32Array.of(0.8, 0.2) });
    },
  };
}

function contentOf(read: MediaContent['read']): { readonly media: MediaContent; readonly counts: { reads: number; held: number } } {
  const counts = { reads: 0, held: 0 };
  const media: MediaContent = {
    read: async (content, context) => {
      counts.reads += 1;
      const { bytes: found, release } = await read(content, context);
      counts.held += 1;
      return {
        bytes: found,
        release: () => {
          counts.held -= 1;
          release();
        },
      };
    },
  };
  return { media, counts };
}

const always = (found: Buffer): MediaContent['read'] => () => Promise.resolve({ bytes: found, release: () => undefined });

function event(fields: Partial<MediaEvent> = {}): MediaEvent {
  return { id: 'a', source: 's', occurredAt: 5, contentType: 'image/png', content: reference, tasks: [], collection: null, attributes: {}, deleted: false, ...fields };
}

function consumed(media: MediaEvent, fields: Partial<ConsumedRecord> = {}): ConsumedRecord {
  return {
    topic: 'media.events', partition: 0, incarnation: 'i', sequence: 3n, nextPosition: '4', appendTimeMs: 9, key: Buffer.from('s/a'),
    value: codec.encode('MediaEvent', media), headers: new Map(), ...fields,
  };
}

type Options = { readonly media: MediaContent; readonly asked?: ModelInput[]; readonly retry?: Retry; readonly signal?: AbortSignal; readonly previewLengthMax?: number };

function process(record: ConsumedRecord, { media, asked, retry = (operation) => operation(1), signal = new AbortController().signal, previewLengthMax = 20 }: Options): Promise<Processed> {
  const stage = createExtractStage({
    codec, routes: [petsRoute()], tasks, models: models(asked), media, revisions: new Map(), allowedNames: new Map(), partitionCounts: new Map(),
    previewLengthMax, recordBytesMax: 100_000, unrouted: 'dead-letter',
  });
  return stage.process(record, { signal, retry });
}

const codeOf = (output: OutputRecord | undefined): string | undefined => output?.headers.get(headerNames.errorCode)?.toString();
const featureOf = (output: OutputRecord | undefined) => codec.decodeAs('FeatureEvent', output!.value);

test('two steps look at content that was read once, and let go of it', async () => {
  const { media, counts } = contentOf(always(bytes));
  const asked: ModelInput[] = [];
  const { outputs, systemFailures } = await process(consumed(event()), { media, asked });
  expect(systemFailures).toEqual([]);
  expect(outputs.map(({ topic }) => topic)).toEqual(['labels', 'features']);
  expect(asked).toEqual([{ kind: 'image', bytes, contentType: 'image/png' }, { kind: 'image', bytes, contentType: 'image/png' }]);
  expect(counts).toEqual({ reads: 1, held: 0 });
});

test('the top label of an image chooses its collection', async () => {
  const collectionOf = async (content: Buffer) => featureOf((await process(consumed(event({ content })), { media: contentOf(always(content)).media })).outputs[1]).collection;
  expect(await collectionOf(Buffer.from([1]))).toBe('pets-cat');
  expect(await collectionOf(Buffer.from([200]))).toBe('pets-dog');
});

test('a person recognises an image by its path, where its producer tells it', async () => {
  const previewOf = async (attributes: Record<string, string>, previewLengthMax?: number) =>
    featureOf((await process(consumed(event({ attributes })), { media: contentOf(always(bytes)).media, ...(previewLengthMax === undefined ? {} : { previewLengthMax }) })).outputs[1]).preview;
  expect(await previewOf({ path: 'cats/1.png' })).toBe('cats/1.png');
  expect(await previewOf({ path: 'a-rather-long-folder/cats/1.png' })).toBe('a-rather-long-folder');
  expect(await previewOf({ name: 'x' })).toBeNull();
  expect(await previewOf({ path: 'cats/1.png' }, 0)).toBeNull();
});

test('content that cannot be had is one dead letter with the bytes of the event, for all steps at once', async () => {
  const { media, counts } = contentOf(() => Promise.reject(mediaError('LS_MEDIA_NOT_FOUND', 'not there')));
  const asked: ModelInput[] = [];
  const record = consumed(event());
  const { outputs, systemFailures } = await process(record, { media, asked });
  expect(outputs.map(({ topic, value }) => [topic, value])).toEqual([['dead-letters', record.value]]);
  expect(codeOf(outputs[0])).toBe('LS_MEDIA_NOT_FOUND');
  // A redrive of it runs whatever a new event would go through.
  expect(outputs[0]?.headers.has(headerNames.errorRouteSteps)).toBe(false);
  expect({ systemFailures, asked, counts }).toEqual({ systemFailures: [], asked: [], counts: { reads: 1, held: 0 } });
});

test('a redriven step whose content is still away names that step again', async () => {
  const { media } = contentOf(() => Promise.reject(mediaError('LS_MEDIA_NOT_FOUND', 'not there')));
  const headers = new Map([[headerNames.runRouteSteps, Buffer.from('pets/classify')], [headerNames.runAttempts, Buffer.from('2')]]);
  const { outputs } = await process(consumed(event(), { topic: 'redrive', headers }), { media });
  expect(outputs[0]?.headers.get(headerNames.errorRouteSteps)?.toString()).toBe('pets/classify');
  expect(outputs[0]?.headers.get(headerNames.errorAttempt)?.toString()).toBe('3');
});

test('a directory that is away is a failure of the system, not of the event', async () => {
  const { media } = contentOf(() => Promise.reject(mediaError('LS_MEDIA_UNAVAILABLE', 'not mounted')));
  const { outputs, systemFailures } = await process(consumed(event()), { media });
  expect(systemFailures).toEqual(['LS_MEDIA_UNAVAILABLE']);
  expect(codeOf(outputs[0])).toBe('LS_MEDIA_UNAVAILABLE');
});

test('a record that is parked while its content is read gives no outputs', async () => {
  const controller = new AbortController();
  const { media, counts } = contentOf(() => {
    controller.abort(new Error('parked'));
    return Promise.reject(controller.signal.reason as Error);
  });
  await expect(process(consumed(event()), { media, signal: controller.signal })).rejects.toThrow('parked');
  expect(counts.held).toBe(0);
});

test('a deleted event leaves the family; its content is not asked for', async () => {
  const { media, counts } = contentOf(always(bytes));
  for (const content of [null, reference]) {
    const { outputs } = await process(consumed(event({ deleted: true, content })), { media });
    expect(outputs.map(featureOf)).toMatchObject([{ itemId: 's/a', family, deleted: true, dimensions: 0 }]);
  }
  expect(counts.reads).toBe(0);
});

test('an event that says nothing of its content, and is not deleted, is refused', async () => {
  const { media } = contentOf(always(bytes));
  const { outputs } = await process(consumed(event({ content: null })), { media });
  expect(outputs.map(codeOf)).toEqual(['LS_EXTRACT_EVENT_INVALID']);
});

test('a record that is delivered again gives the same bytes; a later event of the item gives other ids', async () => {
  const { media } = contentOf(always(bytes));
  const first = await process(consumed(event()), { media });
  expect(await process(consumed(event()), { media })).toEqual(first);
  const later = await process(consumed(event(), { sequence: 4n }), { media });
  expect(featureOf(later.outputs[1]).itemId).toBe(featureOf(first.outputs[1]).itemId);
  expect(featureOf(later.outputs[1]).id).not.toBe(featureOf(first.outputs[1]).id);
});
