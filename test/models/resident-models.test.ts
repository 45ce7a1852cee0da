/** What workers hold, while they die at bad moments and models come and go: against simulated workers, seeded. */
import { expect, test } from 'vitest';
import type { Random } from '../../src/core/clock.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { modelError } from '../../src/core/errors/model.ts';
import type { ModelArtefacts } from '../../src/models/repository.ts';
import type { InferenceWorker } from '../../src/models/worker-handle.ts';
import { startWorkerPool, type WorkerPool } from '../../src/models/worker-pool.ts';
import type { RunReply, WorkerModel } from '../../src/models/worker-protocol.ts';
import { testClock } from './model-directory.ts';

type Item = { readonly kills: boolean };

const noClock = { ...testClock, sleep: () => Promise.resolve() };
const reply = (items: number): RunReply => ({ kind: 'result', outputs: new Float32Array(0), failures: Array.from({ length: items }, () => null), durationMs: 0 });
const modelNamed = (name: string): WorkerModel => ({ name, artefacts: { directory: name } as ModelArtefacts });

async function turns(random: Random): Promise<void> {
  for (let turn = Math.floor(random() * 4); turn > 0; turn -= 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Answers in order. A model named `refused…` is refused, one named `deadly…` ends it. */
function simulatedWorker(models: readonly WorkerModel[], random: Random, alive: Set<Set<string>>, mistakes: string[]): InferenceWorker {
  const end = Promise.withResolvers<Error>();
  const held = new Set(models.map(({ name }) => name));
  alive.add(held);
  let dead = false;
  let last: Promise<unknown> = Promise.resolve();
  const die = (): void => {
    dead = true;
    alive.delete(held);
    end.resolve(new Error('died'));
  };
  const inTurn = <Result>(work: () => Result): Promise<Result> => {
    const done = last.then(async () => {
      await turns(random);
      return dead ? await end.promise.then((error) => Promise.reject(error)) : work();
    });
    last = done.catch(() => undefined);
    return done;
  };
  return {
    run: ({ model, inputs }) =>
      inTurn(() => {
        if (!held.has(model)) mistakes.push(`${model} is asked of a worker that holds ${[...held].join(', ')}`);
        if (inputs.some((input) => input.kind === 'text' && input.text === 'kill')) {
          die();
          throw new Error('died');
        }
        return reply(inputs.length);
      }),
    load: ({ name }) =>
      inTurn(() => {
        if (held.has(name)) mistakes.push(`${name} is loaded twice`);
        if (name.startsWith('deadly')) die();
        if (dead) throw new Error('died');
        if (name.startsWith('refused')) throw modelError('LS_MODEL_KNOWN_ANSWER', 'no');
        held.add(name);
      }),
    unload: (name) =>
      inTurn(() => {
        if (!held.delete(name)) mistakes.push(`${name} is unloaded where it is not held`);
      }),
    ended: end.promise,
    close: async () => {
      die();
      await end.promise;
    },
    terminate: async () => {
      die();
      await end.promise;
    },
  };
}

test('any history of loads, unloads and deaths: a model is asked only of workers that hold it, and a load that fails leaves nothing', async () => {
  const seeds = process.env['LABELSTREAM_TEST_SCALE'] === 'full' ? 400 : 40;
  for (let seed = 1; seed <= seeds; seed += 1) {
    const random = seededRandom(seed);
    const alive = new Set<Set<string>>();
    const mistakes: string[] = [];
    const loaded = ['first'];
    const running = new Map<string, number>();
    const waiting: Item[] = [];
    let settled = 0;
    let batches = 0;
    const finish = (model: string, items: number): void => {
      settled += items;
      running.set(model, (running.get(model) ?? 0) - items);
    };
    const pool: WorkerPool = await startWorkerPool<Item>({
      workerCount: 1 + Math.floor(random() * 3),
      clock: noClock,
      models: [modelNamed('first')],
      start: async (models) => {
        await turns(random);
        return simulatedWorker(models, random, alive, mistakes);
      },
      next: () => {
        const model = loaded[Math.floor(random() * loaded.length)];
        if (waiting.length === 0 || model === undefined) return undefined;
        const items = waiting.splice(0, 1 + Math.floor(random() * 3));
        running.set(model, (running.get(model) ?? 0) + items.length);
        batches += 1;
        return { model, items };
      },
      dueAtMs: () => undefined,
      request: ({ model, items }) => ({ model, inputs: items.map(({ kills }) => ({ kind: 'text', text: kills ? 'kill' : 'good' })) }),
      succeeded: ({ model, items }) => finish(model, items.length),
      failed: (model, items) => finish(model, items.length),
      availability: () => undefined,
      workerDied: () => undefined,
    });
    let offered = 0;
    for (let step = 0; step < 30; step += 1) {
      for (let item = Math.floor(random() * 6); item > 0; item -= 1) {
        waiting.push({ kills: random() < 0.1 });
        offered += 1;
      }
      pool.pump();
      const kind = ['good', 'good', 'refused', 'deadly'][Math.floor(random() * 4)] ?? '';
      const name = `${kind}${step}`;
      const outcome = await pool.load(modelNamed(name)).then(() => 'loaded', (error: unknown) => String((error as { code?: unknown }).code));
      expect(outcome, `seed ${seed}`).toBe({ good: 'loaded', refused: 'LS_MODEL_KNOWN_ANSWER', deadly: 'LS_MODEL_LOAD' }[kind]);
      for (const held of alive) expect([...held].some((each) => each.startsWith('refused') || each.startsWith('deadly')), `seed ${seed}`).toBe(false);
      if (outcome === 'loaded') loaded.push(name);
      if (loaded.length > 2 && random() < 0.7) {
        const [gone = ''] = loaded.splice(1 + Math.floor(random() * (loaded.length - 1)), 1);
        while ((running.get(gone) ?? 0) > 0) await turns(random);
        await pool.unload(gone);
      }
      pool.pump();
    }
    while (settled < offered) {
      pool.pump();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(batches, `seed ${seed}`).toBeGreaterThan(0);
    expect(mistakes, `seed ${seed}`).toEqual([]);
    await pool.close(new Error('closed'));
    expect(alive.size, `seed ${seed}`).toBe(0);
  }
});

test('where no worker can be had, a load says so instead of waiting', async () => {
  let starts = 0;
  const random = seededRandom(1);
  const workers: InferenceWorker[] = [];
  const pool = await startWorkerPool<Item>({
    workerCount: 1,
    clock: testClock,
    models: [],
    start: () => {
      starts += 1;
      if (starts > 1) return Promise.reject(new Error('no more'));
      const worker = simulatedWorker([], random, new Set(), []);
      workers.push(worker);
      return Promise.resolve(worker);
    },
    next: () => undefined,
    dueAtMs: () => undefined,
    request: ({ model }) => ({ model, inputs: [] }),
    succeeded: () => undefined,
    failed: () => undefined,
    availability: () => undefined,
    workerDied: () => undefined,
  });
  await workers[0]?.terminate();
  await expect(pool.load(modelNamed('m'))).rejects.toMatchObject({ code: 'LS_MODEL_WORKERS_UNAVAILABLE' });
  await pool.close(new Error('closed'));
});
