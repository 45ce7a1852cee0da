// Every task that asks a transformer, through the real program: configuration, manifest, worker, LabelEvent, and dead letters for what cannot be done.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openCodec } from '../../src/codec/codec.ts';
import type { LabelEvent, MediaEvent } from '../../src/core/events.generated.ts';
import { topics } from '../../src/core/topics.ts';
import { headerNames } from '../../src/pipeline/headers.ts';
import { readLog } from '../crash/log-contents.ts';
import { golden, readInput, tinyDirectory, type CaptionGolden } from '../models/transformers/tiny-models.ts';
import { mediaEvent, publishMedia, runWatched } from './media-events.ts';
import { withDirectory, writeConfiguration } from './program.ts';

type Told = { readonly labels: ReadonlyMap<string, LabelEvent['result']>; readonly letters: readonly string[] };

/** Labels by item and step; dead letters as `item code steps`. */
async function run(directory: string, configuration: string, events: readonly MediaEvent[]): Promise<Told> {
  const file = await writeConfiguration(directory, configuration);
  await publishMedia(file, events);
  const { code, stderr } = await runWatched(file);
  expect(code, stderr).toBe(0);
  const codec = await openCodec();
  const { records } = await readLog(join(directory, 'data'), [topics.labels, topics.deadLetters]);
  const labels = (records.get(topics.labels) ?? []).flat().map(({ value }) => codec.decodeAs('LabelEvent', value));
  const letters = (records.get(topics.deadLetters) ?? []).flat().map(({ key, headers }) =>
    [key, headers.get(headerNames.errorCode), headers.get(headerNames.errorRouteSteps)].map(String).join(' '),
  );
  return { labels: new Map(labels.map(({ itemId, routeStep, result }) => [`${itemId} ${routeStep}`, result])), letters: letters.sort() };
}

test('captions with and without a prefix, by the config of the step', { timeout: 180_000 }, async () => {
  const { images, cases } = await golden<CaptionGolden>('vit-gpt2');
  const greedy = cases.find(({ name, prefix }) => name === 'greedy' && prefix === null)!;
  const beams = cases.find(({ name, prefix }) => name === '3 beams' && prefix !== null)!;
  await withDirectory(async (directory) => {
    await tinyDirectory('vit-gpt2', { directory: join(directory, 'vit-gpt2') });
    const configuration = `
dataDirectory: data
server: { enabled: false }
inference: { workerCount: 1 }
models: { captioner: { directory: vit-gpt2 } }
routes:
  - name: images
    from: media
    steps:
      - { name: caption, task: image-captioning, model: captioner, config: { max_new_tokens: 14 } }
      - { name: continue, task: conditional-image-captioning, model: captioner, text: '\${attributes.prefix|a photo of}', config: { max_new_tokens: 14, num_beams: 3 } }
`;
    const good = await Promise.all(images.map(async (image) => mediaEvent(image, 'image/png', await readInput(image))));
    const first = good[0]!;
    const events = [
      ...good,
      mediaEvent('empty', 'image/png', Buffer.alloc(0)),
      mediaEvent('corrupt', 'image/png', (first.content as Buffer).subarray(0, 300)),
      { ...first, id: 'endless', attributes: { prefix: 'a'.repeat(1_000_000) } },
    ];
    const { labels, letters } = await run(directory, configuration, events);
    for (const [index, image] of images.entries()) {
      expect(labels.get(`s/${image} images/caption`), image).toEqual({ 'labelstream.v1.Caption': { text: greedy.texts[index]!.trim() } });
      expect(labels.get(`s/${image} images/continue`), image).toEqual({ 'labelstream.v1.Caption': { text: beams.texts[index]!.trim() } });
    }
    expect(labels.has('s/endless images/caption')).toBe(true);
    expect(letters).toEqual([
      'corrupt LS_IMAGE_CORRUPT images/caption', 'corrupt LS_IMAGE_CORRUPT images/continue',
      'empty LS_IMAGE_EMPTY images/caption', 'empty LS_IMAGE_FORMAT images/continue', 'endless LS_TASK_INPUT images/continue',
    ]);
  });
});
