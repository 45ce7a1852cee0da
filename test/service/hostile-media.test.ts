// Hostile images and references among good ones, through the real program: each has its dead letter with a stable code and its own bytes, each good
// one its label, and the memory of the process stays below a bound that none of them may move.
import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import type { MediaEvent, Reference } from '../../src/core/events.generated.ts';
import { topics } from '../../src/core/topics.ts';
import { headerNames } from '../../src/pipeline/headers.ts';
import { readLog } from '../crash/log-contents.ts';
import { colourImage, colourNames, writeImageModels } from '../models/image-models.ts';
import { openCodec } from '../../src/codec/codec.ts';
import { hostileImages } from './hostile-images.ts';
import { mediaEvent, publishMedia, referenceTo, runWatched, type Published } from './media-events.ts';
import { withDirectory, writeConfiguration } from './program.ts';

const goodCount = 240;
/**
 * Measured with two workers: 274 MB with the good images alone, 310 MB with the hostile ones between them. Unfolded, several of those would
 * take 268 MB or 300 MB each, in either worker.
 */
const residentBytesMax = 420 * 1024 * 1024;

const configuration = `
dataDirectory: data
server: { enabled: false }
media: { directories: [allowed], bytesMax: 1000000 }
models:
  classifier: { directory: colour-classifier }
  encoder: { directory: colour-encoder }
routes:
  - name: images
    from: media
    steps:
      - { name: embed, task: image-features, model: encoder, collection: 'colour-\${labels.classify|none}' }
      - { name: classify, task: image-classification, model: classifier }
collections:
  - { name: 'colour-\${labels.classify|none}', eps: 0.2, minPoints: 3 }
`;

async function goodEvents(allowed: string): Promise<readonly Published[]> {
  return Promise.all(
    Array.from({ length: goodCount }, async (_, index): Promise<Published> => {
      const colour = colourNames[index % 3] ?? 'red';
      const image = colourImage(colour, (index % 10) / 10, 40);
      const format = (['png', 'jpeg', 'webp'] as const)[Math.floor(index / 3) % 3] ?? 'png';
      const bytes = await image.toFormat(format).toBuffer();
      const id = `good-${index}-${colour}`;
      if (index % 2 === 0) return { event: mediaEvent(id, `image/${format}`, bytes), code: undefined };
      return { event: mediaEvent(id, `image/${format}`, await referenceTo(join(allowed, id), bytes)), code: undefined };
    }),
  );
}

async function hostileReferences(directory: string, allowed: string): Promise<readonly Published[]> {
  const bytes = await colourImage('green').png().toBuffer();
  const good = await referenceTo(join(allowed, 'plain.png'), bytes);
  await writeFile(join(directory, 'secret.png'), bytes);
  await symlink('../secret.png', join(allowed, 'link.png'));
  execFileSync('mkfifo', [join(allowed, 'pipe')]);
  const at = (uri: string): Reference => ({ ...good, uri });
  const allowedUri = pathToFileURL(allowed).href;
  const cases: readonly (readonly [code: string, reference: MediaEvent['content']])[] = [
    ['LS_MEDIA_NOT_ALLOWED', at(pathToFileURL(join(directory, 'secret.png')).href)],
    ['LS_MEDIA_NOT_ALLOWED', at(`${allowedUri}/../secret.png`)],
    ['LS_MEDIA_NOT_ALLOWED', at(`${allowedUri}/link.png`)],
    ['LS_MEDIA_NOT_ALLOWED', at('file:///dev/zero')],
    ['LS_MEDIA_REFERENCE', at(`${allowedUri}/%2e%2e%2fsecret.png`)],
    ['LS_MEDIA_REFERENCE', { ...good, sizeBytes: 0n }],
    ['LS_REFERENCE_NOT_ALLOWED', at('http://169.254.169.254/latest/meta-data')],
    ['LS_MEDIA_SCHEME', at('gopher://169.254.169.254/latest/meta-data')],
    ['LS_MEDIA_NOT_FOUND', at(`${allowedUri}/missing.png`)],
    ['LS_MEDIA_NOT_A_FILE', at(`${allowedUri}/pipe`)],
    ['LS_MEDIA_TOO_LARGE', { ...good, sizeBytes: 2n ** 60n }],
    ['LS_MEDIA_MISMATCH', { ...good, sizeBytes: good.sizeBytes + 1n }],
    ['LS_MEDIA_MISMATCH', { ...good, sha256: '0'.repeat(64) }],
    ['LS_EXTRACT_EVENT_INVALID', null],
  ];
  return cases.map(([code, content], index) => ({ event: mediaEvent(`reference-${index}`, 'image/png', content), code }));
}

/** The hostile ones evenly among the good ones. */
function mixed(good: readonly Published[], hostile: readonly Published[]): readonly Published[] {
  const every = Math.floor(good.length / hostile.length);
  return good.flatMap((event, index) => (index % every === 0 && hostile[index / every] !== undefined ? [hostile[index / every]!, event] : [event]));
}

test('hostile images and references become dead letters, good images between them are labelled, memory stays bounded', { timeout: 240_000 }, async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, configuration);
    const allowed = join(directory, 'allowed');
    await mkdir(allowed);
    await writeImageModels(directory);
    const images = (await hostileImages()).map(({ name, bytes, contentType, code }): Published => ({ event: mediaEvent(name, contentType, bytes), code }));
    const references = await hostileReferences(directory, allowed);
    const byReference = await Promise.all(
      images
        .filter(({ event }) => (event.content as Buffer).length > 0)
        .map(async ({ event, code }, index): Promise<Published> => ({
          event: { ...event, id: `referred ${event.id}`, content: await referenceTo(join(allowed, `hostile-${index}`), event.content as Buffer) },
          code,
        })),
    );
    const hostile = [...images, ...references, ...byReference];
    const good = await goodEvents(allowed);
    const codec = await openCodec();
    const all = mixed(good, hostile);
    expect(all).toHaveLength(good.length + hostile.length);
    await publishMedia(file, all.map(({ event }) => event));

    const { code, stderr, residentBytes } = await runWatched(file);
    expect(code, stderr).toBe(0);
    console.log(`hostile media: ${hostile.length} hostile, ${good.length} good, at most ${Math.round(residentBytes / 2 ** 20)} MB resident`);

    const contents = await readLog(join(directory, 'data'), [topics.labels, topics.deadLetters]);
    const letters = (contents.records.get(topics.deadLetters) ?? []).flat();
    const told = letters.map(({ key, headers }) => `${key?.toString() ?? ''}: ${headers.get(headerNames.errorCode)?.toString() ?? ''}`);
    expect(told.sort()).toEqual(hostile.map(({ event, code: expected }) => `${event.id}: ${expected ?? ''}`).sort());
    for (const { key, value, headers } of letters) {
      const event = hostile.find(({ event: { id } }) => id === key?.toString())?.event;
      expect(Buffer.compare(value, codec.encode('MediaEvent', event!)), key?.toString()).toBe(0);
      expect(headers.get(headerNames.errorMessage)?.length, key?.toString()).toBeLessThan(600);
    }

    const labels = (contents.records.get(topics.labels) ?? []).flat().map(({ value }) => codec.decodeAs('LabelEvent', value));
    const found = labels.flatMap(({ itemId, result }) => ('labelstream.v1.Classification' in result ? [`${itemId} ${result['labelstream.v1.Classification'].labels[0]?.label ?? ''}`] : []));
    expect(found.sort()).toEqual(good.map(({ event: { id } }) => `s/${id} ${id.split('-')[2] ?? ''}`).sort());
    const clustered = new Map<string, string>();
    for (const { itemId, result } of labels) {
      if ('labelstream.v1.Assignment' in result) clustered.set(itemId, `${result['labelstream.v1.Assignment'].collection} ${result['labelstream.v1.Assignment'].role}`);
    }
    expect([...clustered].map(([itemId, place]) => `${itemId} ${place}`).sort()).toEqual(
      good.map(({ event: { id } }) => `s/${id} colour-${id.split('-')[2] ?? ''} core`).sort(),
    );
    expect(residentBytes).toBeLessThan(residentBytesMax);
  });
});
