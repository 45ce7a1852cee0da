/**
 * The model server at full load for a while, as a process of its own: texts, images and rows in work all the time, and beside them models that are unloaded,
 * loaded and reloaded. Its arguments are the seconds and the folder of the models; prints lines of JSON: samples, then what was done.
 */
import { join } from 'node:path';
import { limitHeaps } from '../../src/heap-limits.ts';
import type { ModelInput } from '../../src/models/model-port.ts';
import { startModelServer } from '../../src/models/model-server.ts';
import { systemClock } from '../../src/pipeline/system-clock.ts';
import { imageInputs, textInputs } from '../../bench/inference/work.ts';

const sampleMs = 500;
/** Of each model. */
const inWork = { texts: 128, images: 32, rows: 64 } as const;

const [seconds = '20', models = ''] = process.argv.slice(2);
limitHeaps();
const server = await startModelServer({
  models: [
    { name: 'texts', directory: join(models, 'static-text-encoder') },
    { name: 'images', directory: join(models, 'drawing-classifier') },
    { name: 'rows', directory: join(models, 'banknote-classifier') },
    // Asked for by nobody but those who load and unload it.
    { name: 'other', directory: join(models, 'visual-encoder'), preload: false },
  ],
  clock: systemClock,
  workerCount: 2,
});
const inputs: Readonly<Record<keyof typeof inWork, readonly ModelInput[]>> = {
  texts: textInputs(500, 200),
  images: await imageInputs(16),
  rows: Array.from({ length: 50 }, (_, index) => ({ kind: 'values', values: { variance: index / 10, skewness: -index / 7, curtosis: 1, entropy: 0 } })),
};
const stop = new AbortController();
const { signal } = new AbortController();
const done = { items: 0, failed: 0, operations: 0 };
const failures = new Set<string>();
/** The first one to each item. */
const answers = new Map<string, string>();

async function ask(model: keyof typeof inWork, first: number): Promise<void> {
  for (let index = first; !stop.signal.aborted; index += 1) {
    const of = inputs[model];
    const place = index % of.length;
    try {
      const answer = JSON.stringify(await server.run(model, of[place]!, { signal, priority: index % 8 === 0 ? 'interactive' : 'stream' }));
      const before = answers.get(`${model} ${place}`) ?? answer;
      answers.set(`${model} ${place}`, before);
      if (answer !== before) throw new Error(`${model} ${place} is answered in another way than before`);
    } catch (error) {
      done.failed += 1;
      failures.add(String(error));
    }
    done.items += 1;
  }
}

/** What is asked for meanwhile waits, and is answered by what is loaded then. */
async function operate(): Promise<void> {
  while (!stop.signal.aborted) {
    await server.load('other');
    await server.reload('rows');
    await server.unload('other');
    await server.unload('rows');
    await server.reload('texts');
    done.operations += 5;
  }
}

const working = [
  operate(),
  ...(['texts', 'images', 'rows'] as const).flatMap((model) => Array.from({ length: inWork[model] }, (_, index) => ask(model, index))),
];
const started = performance.now();
const sampling = setInterval(() => {
  console.log(JSON.stringify({ seconds: (performance.now() - started) / 1000, items: done.items, residentBytes: process.memoryUsage.rss() }));
}, sampleMs);
await new Promise((resolve) => setTimeout(resolve, 1000 * Number(seconds)));
clearInterval(sampling);
stop.abort();
await Promise.all(working);
const states = Object.fromEntries([...server.status()].map(([name, { state }]) => [name, state]));
await server.close();
console.log(JSON.stringify({ ...done, failures: [...failures], states }));
