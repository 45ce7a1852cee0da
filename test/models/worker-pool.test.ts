/** The pool against simulated workers that die at bad moments: what a real thread does too rarely to be tested by waiting for it. */
import { expect, test } from 'vitest';
import type { Random } from '../../src/core/clock.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import type { InferenceWorker } from '../../src/models/worker-handle.ts';
import { startWorkerPool } from '../../src/models/worker-pool.ts';
import type { RunReply } from '../../src/models/worker-protocol.ts';
import { testClock } from './model-directory.ts';

type Item = { readonly index: number; readonly kills: boolean };

const noClock = { ...testClock, sleep: () => Promise.resolve() };
const reply = (items: number): RunReply => ({ kind: 'result', outputs: new Float32Array(0), failures: Array.from({ length: items }, () => null), durationMs: 0 });

/** A few turns of the loop, so that everything that can interleave does. */
async function turns(random: Random): Promise<void> {
  for (let turn = Math.floor(random() * 4); turn > 0; turn -= 1) await new Promise((resolve) => setImmediate(resolve));
}

/**
 * Answers in order; an item that kills ends it, and with it answers that were computed but not yet delivered (a dying thread loses them).
 * `held` is told the sizes of the batches that it holds whenever it is given one more.
 */
function simulatedWorker(random: Random, held: (batchSizes: readonly number[]) => void): InferenceWorker {
  const end = Promise.withResolvers<Error>();
  let dead = false;
  const queue: { readonly items: readonly string[]; readonly resolve: (reply: RunReply) => void; readonly reject: (error: Error) => void }[] = [];
  let computed = Promise.resolve();
  const die = (): void => {
    dead = true;
    for (const { reject } of queue.splice(0)) reject(new Error('died'));
    end.resolve(new Error('died'));
  };
  return {
    run: ({ inputs }) =>
      new Promise((resolve, reject) => {
        if (dead) {
          reject(new Error('dead'));
          return;
        }
        const items = inputs.map((input) => (input.kind === 'text' ? input.text : ''));
        const entry = { items, resolve, reject };
        queue.push(entry);
        held(queue.map((each) => each.items.length));
        computed = computed.then(async () => {
          await turns(random);
          if (dead) return;
          if (items.includes('kill')) {
            die();
            return;
          }
          // Delivered later than computed: the next batch may kill in between.
          void turns(random).then(() => {
            if (dead) return;
            queue.splice(queue.indexOf(entry), 1);
            resolve(reply(items.length));
          });
        });
      }),
    load: () => Promise.resolve(),
    unload: () => Promise.resolve(),
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

test('every item is settled once: the ones that kill by LS_MODEL_WORKER_DIED, all others by a result', async () => {
  const seeds = process.env['LABELSTREAM_TEST_SCALE'] === 'full' ? 600 : 60;
  for (let seed = 1; seed <= seeds; seed += 1) {
    const random = seededRandom(seed);
    const items = Array.from({ length: 60 }, (_, index): Item => ({ index, kills: random() < 0.08 }));
    const waiting = [...items];
    const settled = new Map<number, string[]>();
    const done = Promise.withResolvers<undefined>();
    const settle = ({ index }: Item, how: string): void => {
      settled.set(index, [...(settled.get(index) ?? []), how]);
      if (settled.size === items.length) done.resolve(undefined);
    };
    let starts = 0;
    const pool = await startWorkerPool<Item>({
      workerCount: 1 + Math.floor(random() * 3),
      clock: noClock,
      models: [],
      start: async () => {
        await turns(random);
        starts += 1;
        // Starting fails now and then, but never the first time, and never all of them for long.
        if (starts > 3 && random() < 0.2) throw new Error('not now');
        return simulatedWorker(random, () => undefined);
      },
      next: () => (waiting.length === 0 ? undefined : { model: 'm', items: waiting.splice(0, 1 + Math.floor(random() * 5)) }),
      dueAtMs: () => undefined,
      request: ({ model, items: batch }) => ({ model, inputs: batch.map(({ kills }) => ({ kind: 'text', text: kills ? 'kill' : 'good' })) }),
      succeeded: (batch) => {
        for (const item of batch.items) settle(item, 'ok');
      },
      failed: (_model, batch, error) => {
        for (const item of batch) settle(item, 'code' in error ? String(error.code) : error.message);
      },
      availability: () => undefined,
      workerDied: () => undefined,
    });
    pool.pump();
    await done.promise;
    await pool.close(new Error('closed'));
    for (const { index, kills } of items) {
      const [how, ...more] = settled.get(index) ?? [];
      expect(more, `seed ${seed}, item ${index}`).toEqual([]);
      // Retries are given up, retryably, where no worker is left and none starts.
      const allowed = [kills ? 'LS_MODEL_WORKER_DIED' : 'ok', 'LS_MODEL_WORKERS_UNAVAILABLE'];
      expect(allowed, `seed ${seed}, item ${index}`).toContain(how);
    }
  }
});

test('a suspected item shares its worker with nothing', async () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const random = seededRandom(seed);
    const waiting = Array.from({ length: 30 }, (_, index): Item => ({ index, kills: index === 5 }));
    const shared: string[] = [];
    let open = waiting.length;
    const done = Promise.withResolvers<undefined>();
    const finish = (batch: readonly Item[]): void => {
      open -= batch.length;
      if (open === 0) done.resolve(undefined);
    };
    let deaths = 0;
    const pool = await startWorkerPool<Item>({
      workerCount: 1,
      clock: noClock,
      models: [],
      start: () =>
        Promise.resolve(
          simulatedWorker(random, (batchSizes) => {
            // Batches have three items here: one with a single item is a suspect's.
            if (batchSizes.length > 1 && batchSizes.includes(1)) shared.push(batchSizes.join());
          }),
        ),
      next: () => (waiting.length === 0 ? undefined : { model: 'm', items: waiting.splice(0, 3) }),
      dueAtMs: () => undefined,
      request: ({ model, items: batch }) => ({ model, inputs: batch.map(({ kills }) => ({ kind: 'text', text: kills ? 'kill' : 'good' })) }),
      succeeded: ({ items: batch }) => finish(batch),
      failed: (_model, batch) => finish(batch),
      availability: () => undefined,
      workerDied: () => {
        deaths += 1;
      },
    });
    pool.pump();
    await done.promise;
    await pool.close(new Error('closed'));
    expect(deaths, `seed ${seed}`).toBeGreaterThanOrEqual(2);
    expect(shared, `seed ${seed}`).toEqual([]);
  }
});

test('each worker is started in a turn of the main loop of its own', async () => {
  let turn = 0;
  const count = (): void => {
    turn += 1;
    counting = setImmediate(count);
  };
  let counting = setImmediate(count);
  const startedIn: number[] = [];
  const pool = await startWorkerPool<Item>({
    workerCount: 8,
    clock: noClock,
    models: [],
    start: () => {
      startedIn.push(turn);
      return Promise.resolve(simulatedWorker(seededRandom(1), () => undefined));
    },
    next: () => undefined,
    dueAtMs: () => undefined,
    request: ({ model }) => ({ model, inputs: [] }),
    succeeded: () => undefined,
    failed: () => undefined,
    availability: () => undefined,
    workerDied: () => undefined,
  });
  clearImmediate(counting);
  await pool.close(new Error('closed'));
  expect(new Set(startedIn).size, startedIn.join(', ')).toBe(8);
  // What the caller did before is not in the turn of the first.
  expect(startedIn[0]).toBeGreaterThan(0);
});
