// What libvips may load holds for the whole process: a worker that starts must not touch what the others are decoding.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startModelServer } from '../../src/models/model-server.ts';
import { loadArtefacts } from '../../src/models/repository.ts';
import { inferenceWorkerEntry, startInferenceWorker } from '../../src/models/worker-handle.ts';
import { colourImage, writeImageModels } from './image-models.ts';
import { temporaryDirectory, testClock } from './model-directory.ts';

test('images are decoded while other workers start', { timeout: 180_000 }, async () => {
  const directory = await temporaryDirectory();
  await writeImageModels(directory);
  const models = [{ name: 'colours', directory: join(directory, 'colour-encoder') }];
  const start = () => startModelServer({ clock: testClock, workerCount: 2, models });
  const input = { kind: 'image', bytes: await colourImage('red', 1, 256).png().toBuffer(), contentType: 'image/png' } as const;
  const server = await start();
  const allStarted = new AbortController();
  const decoding = (async () => {
    let decoded = 0;
    while (!allStarted.signal.aborted) {
      await Promise.all(Array.from({ length: 8 }, () => server.run('colours', input, { signal: new AbortController().signal })));
      decoded += 8;
    }
    return decoded;
  })();
  for (let round = 0; round < 8; round += 1) await (await start()).close();
  allStarted.abort();
  expect(await decoding).toBeGreaterThan(50);
  await server.close();
});

test('a worker that is called off while the decoder is being loaded does not start', async () => {
  const directory = await temporaryDirectory();
  await writeImageModels(directory);
  const artefacts = await loadArtefacts(join(directory, 'colour-encoder'));
  const stopping = new AbortController();
  const outcome = startInferenceWorker({ models: [{ name: 'colours', artefacts }], testKnownAnswers: false }, inferenceWorkerEntry, stopping.signal);
  stopping.abort();
  await expect(outcome).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
});
