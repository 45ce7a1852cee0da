/** Lets a worker run out of memory, and prints what became of two items, the second of which did it: the codes that they failed with, or 'ok'. Argument: the directory of a model. */
import { startModelServer } from '../../src/models/model-server.ts';
import { testClock } from './model-directory.ts';

const [directory = ''] = process.argv.slice(2);
// Enough for a start. Little of it young: what survives there counts towards the limit all at once.
const resourceLimits = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 4 };
const workerEntry = { url: new URL('./faulty-worker.ts', import.meta.url), resourceLimits };
const server = await startModelServer({ clock: testClock, workerCount: 1, models: [{ name: 'texts', directory }], workerEntry });
const codes: string[] = [];
for (const text of ['one', 'fault memory', 'two']) {
  const run = server.run('texts', { kind: 'text', text }, { signal: new AbortController().signal });
  codes.push(await run.then(() => 'ok', (error: unknown) => String((error as { code?: unknown }).code)));
}
await server.close();
console.log(JSON.stringify(codes));
