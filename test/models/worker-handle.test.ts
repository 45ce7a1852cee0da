import { expect, test } from 'vitest';
import { loadArtefacts } from '../../src/models/repository.ts';
import { startInferenceWorker } from '../../src/models/worker-handle.ts';
import { encoderDirectory } from './model-directory.ts';

// A pool that closes has given its items up. A thread that went on until it had to be ended by force could take the process along.
test('a worker that is told to end finishes what it is at, and begins nothing more', async () => {
  const artefacts = await loadArtefacts(await encoderDirectory());
  const worker = await startInferenceWorker({ models: [{ name: 'texts', artefacts }], testKnownAnswers: false });
  const inputs = Array.from({ length: 16 }, (_, index) => ({ kind: 'text', text: `text number ${index}` }) as const);
  const run = () => worker.run({ model: 'texts', inputs }).then(() => 'answered', (error: unknown) => (error as { code?: unknown }).code);
  expect(await run()).toBe('answered');
  const outcomes = Array.from({ length: 500 }, run);
  await worker.close();
  const all = await Promise.all(outcomes);
  expect(new Set(all.slice(all.lastIndexOf('answered') + 1))).toEqual(new Set(['LS_MODEL_WORKERS_UNAVAILABLE']));
});
