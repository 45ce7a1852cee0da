// Every task that asks a transformer, through the real program: configuration, manifest, worker, LabelEvent, and dead letters for what cannot be done.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openCodec } from '../../src/codec/codec.ts';
import type { LabelEvent, MediaEvent } from '../../src/core/events.generated.ts';
import { topics } from '../../src/core/topics.ts';
import { headerNames } from '../../src/pipeline/headers.ts';
import { readLog } from '../crash/log-contents.ts';
import { detectionsIn, golden, readInput, tinyDirectory, type CaptionGolden, type DetectionGolden, type SpeechGolden, type ZeroShotGolden } from '../models/transformers/tiny-models.ts';
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
      'empty LS_IMAGE_EMPTY images/caption', 'empty LS_IMAGE_EMPTY images/continue', 'endless LS_TASK_INPUT images/continue',
    ]);
  });
});

test('zero-shot classes, boxes, captions of BLIP and transcripts, each within what Python says', { timeout: 240_000 }, async () => {
  const [zeroShot, closed, open, speech] = await Promise.all([golden<ZeroShotGolden>('clip'), golden<DetectionGolden>('detr'), golden<DetectionGolden>('owlvit'), golden<SpeechGolden>('whisper')]);
  const [blip, blip2] = await Promise.all([golden<CaptionGolden>('blip'), golden<CaptionGolden>('blip2')]);
  await withDirectory(async (directory) => {
    for (const name of ['clip', 'siglip', 'detr', 'owlvit', 'blip', 'blip2', 'whisper'] as const) await tinyDirectory(name, { directory: join(directory, name) });
    const many = Array.from({ length: 1_000 }, (_, index) => `thing ${index}`);
    const configuration = `
dataDirectory: data
server: { enabled: false }
inference: { workerCount: 1 }
models:
  clip: { directory: clip }
  siglip: { directory: siglip }
  detr: { directory: detr }
  owlvit: { directory: owlvit, preload: false }
  blip: { directory: blip }
  blip2: { directory: blip2 }
  whisper: { directory: whisper }
routes:
  - name: images
    from: media
    where: { attributes: { kind: image } }
    steps:
      - { name: which, task: zero-shot-image-classification, model: clip, classes: ${JSON.stringify(zeroShot.classes)}, config: { hypothesis_template: 'This is a photo of {}.' } }
      - { name: many, task: zero-shot-image-classification, model: siglip, classes: ${JSON.stringify(many)} }
      - { name: where, task: object-detection, model: detr, config: { threshold: ${closed.threshold} } }
      - { name: find, task: object-detection, model: owlvit, classes: ${JSON.stringify(open.classes)}, config: { threshold: ${open.threshold} } }
      - { name: blip, task: image-captioning, model: blip, config: { max_new_tokens: 14, num_beams: 3 } }
      - { name: blip2, task: conditional-image-captioning, model: blip2, text: 'Question: how many dogs are there? Answer:', config: { max_new_tokens: 14 } }
  - name: sounds
    from: media
    where: { attributes: { kind: sound } }
    steps:
      - { name: hear, task: automated-speech-recognition, model: whisper, config: { language: en, max_new_tokens: 16, return_timestamps: true } }
`;
    const image = { attributes: { kind: 'image' } };
    const sound = { attributes: { kind: 'sound' } };
    const events = [
      ...(await Promise.all(zeroShot.images.map(async (name) => ({ ...mediaEvent(name, 'image/png', await readInput(name)), ...image })))),
      ...(await Promise.all(speech.clips.map(async (name) => ({ ...mediaEvent(name, 'audio/wav', await readInput(name)), ...sound })))),
      { ...mediaEvent('silence', 'audio/wav', Buffer.alloc(0)), ...sound },
    ];
    const { labels, letters } = await run(directory, configuration, events);
    const beams = blip.cases.find(({ name, prefix }) => name === '3 beams' && prefix === null)!;
    const question = blip2.cases.find(({ name, prefix }) => name === 'greedy' && prefix !== null)!;
    for (const [index, name] of zeroShot.images.entries()) {
      const of = (step: string): unknown => Object.values(labels.get(`s/${name} images/${step}`)!)[0];
      const close = (values: readonly number[]): unknown[] => values.map((value) => expect.closeTo(value, 4) as unknown);
      expect(of('which'), name).toEqual({ classes: zeroShot.classes, probabilities: close(zeroShot.probabilities[index]!) });
      expect(of('many'), name).toMatchObject({ classes: many });
      for (const [step, detections] of [['where', closed.detections], ['find', open.detections]] as const) {
        const { boxes, labels: found, scores } = detectionsIn(detections[index]!);
        expect(of(step), name).toEqual({ boxes, labels: found, scores: close(scores) });
      }
      expect(of('blip'), name).toEqual({ text: beams.texts[index]!.trim() });
      expect(of('blip2'), name).toEqual({ text: question.texts[index]!.trim() });
    }
    for (const [index, name] of speech.clips.entries()) {
      const { 'labelstream.v1.Transcript': transcript } = labels.get(`s/${name} sounds/hear`) as Extract<LabelEvent['result'], { 'labelstream.v1.Transcript': unknown }>;
      expect(transcript.text, name).toBe(speech.cases[2]!.texts[index]!.trim());
      expect(transcript.segments.length, name).toBeGreaterThan(0);
    }
    expect(letters).toEqual(['silence LS_AUDIO_EMPTY sounds/hear']);
  });
});
