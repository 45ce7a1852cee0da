// Detectors of one graph in the stream: what is found, a crowd of a thousand, and what cannot be looked at.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openCodec } from '../../src/codec/codec.ts';
import { topics } from '../../src/core/topics.ts';
import { headerNames } from '../../src/pipeline/headers.ts';
import { readLog } from '../crash/log-contents.ts';
import { crowd, crowdDirectory, crowdSize, detectorDirectory, imageOf, knownPlace } from '../models/boxes/pixel-detector.ts';
import { mediaEvent, publishMedia, runWatched } from './media-events.ts';
import { withDirectory, writeConfiguration } from './program.ts';

test('boxes of one image, of a thousand things, and of none; what fails, fails alone', { timeout: 240_000 }, async () => {
  await withDirectory(async (directory) => {
    await detectorDirectory(join(directory, 'pixels'));
    await crowdDirectory(join(directory, 'crowd'));
    const file = await writeConfiguration(directory, `
dataDirectory: data
server: { enabled: false }
inference: { workerCount: 1 }
models:
  pixels: { directory: pixels }
  crowd: { directory: crowd }
routes:
  - name: small
    from: media
    where: { attributes: { kind: small } }
    steps:
      - { name: find, task: object-detection, model: pixels }
      - { name: sure, task: object-detection, model: pixels, config: { threshold: 0.75, top_k: 1 } }
  - name: large
    from: media
    where: { attributes: { kind: large } }
    steps: [{ name: find, task: object-detection, model: crowd }]
`);
    const png = (image: ReturnType<typeof imageOf>): Promise<Buffer> => image.png().toBuffer();
    const small = new Map([
      ['one', await png(imageOf([knownPlace, [0, 0, 40, 255, 9, 120]]))],
      ['nothing', await png(imageOf([]))],
      ['nan', await png(imageOf([[0, 0, 40, 255, 9, 0]]))],
      ['empty', Buffer.alloc(0)],
    ]);
    const large = await png(imageOf(crowd, crowdSize).resize(500, 400, { kernel: 'nearest' }));
    await publishMedia(file, [
      ...[...small].map(([id, content]) => ({ ...mediaEvent(id, 'image/png', content), attributes: { kind: 'small' } })),
      { ...mediaEvent('crowd', 'image/png', large), attributes: { kind: 'large' } },
    ]);
    const { code, stderr } = await runWatched(file);
    expect(code, stderr).toBe(0);
    const codec = await openCodec();
    const { records } = await readLog(join(directory, 'data'), [topics.labels, topics.deadLetters]);
    const labels = new Map((records.get(topics.labels) ?? []).flat().map(({ value }) => {
      const { itemId, routeStep, result } = codec.decodeAs('LabelEvent', value);
      if (!('labelstream.v1.Detection' in result)) throw new Error(JSON.stringify(result));
      return [`${itemId} ${routeStep}`, result['labelstream.v1.Detection']];
    }));
    expect([...labels.keys()].sort()).toEqual(['s/crowd large/find', 's/nothing small/find', 's/nothing small/sure', 's/one small/find', 's/one small/sure']);
    expect(labels.get('s/one small/find')).toMatchObject({ boxes: [[4, 1, 8, 6], [0, 0, 1, 8]], labels: ['thing', 'thing'] });
    expect(labels.get('s/one small/sure')).toMatchObject({ boxes: [[4, 1, 8, 6]] });
    expect(labels.get('s/nothing small/find')).toEqual({ boxes: [], labels: [], scores: [] });
    const { boxes = [], labels: names, scores } = labels.get('s/crowd large/find') ?? {};
    expect([boxes.length, names?.length, scores?.length]).toEqual([1_000, 1_000, 1_000]);
    expect(new Set(boxes.map((box) => box.join(' '))).size).toBe(1_000);
    const letters = (records.get(topics.deadLetters) ?? []).flat().map(({ key, headers }) => [key, headers.get(headerNames.errorCode), headers.get(headerNames.errorRouteSteps)].map(String).join(' '));
    expect(letters.sort()).toEqual([
      'empty LS_IMAGE_EMPTY small/find', 'empty LS_IMAGE_EMPTY small/sure',
      'nan LS_MODEL_OUTPUT_NOT_FINITE small/find', 'nan LS_MODEL_OUTPUT_NOT_FINITE small/sure',
    ]);
  });
});
