/** Shares of a simulated machine: workers that take the next batch whenever they are free, by a clock of the test. */
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { createExecutionShares, type Contender, type Execution } from '../../src/models/execution-shares.ts';
import type { Priority } from '../../src/models/model-port.ts';

type Flow = {
  readonly model: string;
  readonly priority: Priority;
  /** Of a batch, on average. */
  readonly batchMs: number;
  /** Batches come so often; undefined: there is always one more. */
  readonly everyMs?: number;
};

type Machine = { readonly seed: number; readonly workers: number; readonly streamShareMin: number; readonly flows: readonly Flow[]; readonly durationMs: number };

type Run = {
  /** Execution time by flow, in their order. */
  readonly executedMs: readonly number[];
  readonly idleMs: number;
  /** The longest that a batch of each flow waited. */
  readonly waitedMsMax: readonly number[];
};

function run({ seed, workers, streamShareMin, flows, durationMs }: Machine): Run {
  const random = seededRandom(seed);
  const shares = createExecutionShares(streamShareMin);
  const executedMs = flows.map(() => 0);
  const waitedMsMax = flows.map(() => 0);
  /** Arrival times of batches that wait. A flow that always has one has it since the last was taken. */
  const waiting = flows.map(({ everyMs }) => (everyMs === undefined ? [0] : []));
  const arrivals = flows.map(({ everyMs }) => (everyMs === undefined ? Number.POSITIVE_INFINITY : random() * everyMs));
  const running: { readonly endMs: number; readonly tookMs: number; readonly flow: number; readonly execution: Execution }[] = [];
  let [nowMs, idleMs] = [0, 0];
  while (nowMs < durationMs) {
    while (running.length < workers) {
      const contenders: (Contender & { readonly flow: number })[] = [];
      for (const [flow, { model, priority }] of flows.entries()) {
        const sinceMs = waiting[flow]![0];
        if (sinceMs !== undefined) contenders.push({ model, priority, sinceMs, flow });
      }
      const chosen = shares.choose(contenders);
      // Work-conserving: whoever has a batch gets a free worker.
      if (chosen === undefined && contenders.length > 0) expect.fail(`seed ${seed}: a worker is free, and a batch waits`);
      if (chosen === undefined) break;
      const { flow } = contenders.find(({ model, priority }) => model === chosen.model && priority === chosen.priority)!;
      const { batchMs, everyMs } = flows[flow]!;
      waitedMsMax[flow] = Math.max(waitedMsMax[flow]!, nowMs - waiting[flow]!.shift()!);
      if (everyMs === undefined) waiting[flow]!.push(nowMs);
      const tookMs = batchMs * (0.5 + random());
      running.push({ endMs: nowMs + tookMs, tookMs, flow, execution: shares.begin(chosen, 1 + Math.floor(random() * 16)) });
      running.sort((left, right) => left.endMs - right.endMs);
    }
    const arrivesMs = Math.min(...arrivals);
    const nextMs = Math.min(running[0]?.endMs ?? Number.POSITIVE_INFINITY, arrivesMs);
    idleMs += (workers - running.length) * (nextMs - nowMs);
    nowMs = nextMs;
    while (running.length > 0 && running[0]!.endMs <= nowMs) {
      const ended = running.shift()!;
      executedMs[ended.flow]! += ended.tookMs;
      shares.end(ended.execution, ended.tookMs);
    }
    if (arrivesMs > nowMs) continue;
    for (const [index, { everyMs = 0 }] of flows.entries()) {
      if (arrivals[index]! > nowMs) continue;
      waiting[index]!.push(nowMs);
      arrivals[index] = nowMs + everyMs * (0.2 + 1.6 * random());
    }
  }
  return { executedMs, idleMs, waitedMsMax };
}

const seeds = process.env['LABELSTREAM_TEST_SCALE'] === 'full' ? 400 : 40;
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe('while both priorities always have work', () => {
  test('the stream has its share, interactive the rest, but for the batches under way; models of one priority have equal times', () => {
    for (let seed = 1; seed <= seeds; seed += 1) {
      const random = seededRandom(seed);
      const workers = 1 + Math.floor(random() * 4);
      const streamShareMin = 0.05 + 0.9 * random();
      const flows = (['interactive', 'stream'] as const).flatMap((priority) =>
        Array.from({ length: 1 + Math.floor(random() * 4) }, (_, model): Flow => ({ model: `m${model}`, priority, batchMs: 1 + random() ** 3 * 200 })),
      );
      const largestMs = 1.5 * Math.max(...flows.map(({ batchMs }) => batchMs));
      // As many of the largest batches in every history: what is tolerated is the same part of all, 2 %.
      const { executedMs, idleMs } = run({ seed, workers, streamShareMin, flows, durationMs: 200 * largestMs });
      const totalMs = sum(executedMs);
      // Until each has been measured once, batches are charged for nothing: all that are under way, twice.
      const toleranceMs = 4 * workers * largestMs;
      const ofStream = sum(executedMs.filter((_, index) => flows[index]!.priority === 'stream'));
      expect(Math.abs(ofStream - streamShareMin * totalMs), `seed ${seed}: ${ofStream} of ${totalMs}, share ${streamShareMin}`).toBeLessThan(toleranceMs);
      expect(idleMs, `seed ${seed}`).toBe(0);
      for (const priority of ['interactive', 'stream']) {
        const times = executedMs.filter((_, index) => flows[index]!.priority === priority);
        expect(Math.max(...times) - Math.min(...times), `seed ${seed}, ${priority}: ${times.join(', ')}`).toBeLessThan(toleranceMs);
      }
    }
  });
});

test('any history: nobody starves; each batch has its turn within the time that the shares of its priority and model allow', () => {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const random = seededRandom(1_000 + seed);
    const workers = 1 + Math.floor(random() * 3);
    const streamShareMin = 0.2 + 0.6 * random();
    const busy: Flow[] = (['interactive', 'stream'] as const).flatMap((priority) =>
      Array.from({ length: 1 + Math.floor(random() * 3) }, (_, model): Flow => ({ model: `busy${model}`, priority, batchMs: 1 + random() * 50 })),
    );
    // Takes far less than what it is due, now and then.
    const modest: Flow[] = (['interactive', 'stream'] as const).map((priority) => ({ model: 'modest', priority, batchMs: 5, everyMs: 2_000 }));
    const flows = [...busy, ...modest];
    const { waitedMsMax } = run({ seed, workers, streamShareMin, flows, durationMs: 60_000 });
    const largestMs = 1.5 * Math.max(...flows.map(({ batchMs }) => batchMs));
    for (const [index, { model, priority }] of flows.entries()) {
      const share = priority === 'stream' ? streamShareMin : 1 - streamShareMin;
      const models = flows.filter((flow) => flow.priority === priority).length;
      // A round of all models of its priority, at the pace of the priority's share, behind what is under way and was not measured yet.
      const boundMs = ((models + 4 * workers) * largestMs) / share;
      expect(waitedMsMax[index], `seed ${seed}, ${model} ${priority}`).toBeLessThan(boundMs);
    }
  }
});

describe('who is alone', () => {
  test('takes everything, and owes nothing for it: interactive goes first when it comes', () => {
    const shares = createExecutionShares(0.5);
    const stream: Contender = { model: 'm', priority: 'stream', sinceMs: 0 };
    const interactive: Contender = { model: 'm', priority: 'interactive', sinceMs: 1 };
    for (let batch = 0; batch < 10; batch += 1) shares.end(shares.begin(shares.choose([stream])!, 1), 100);
    expect(shares.choose([stream, interactive])?.priority).toBe('interactive');
  });

  test('is not held back by what another model saved up while it was idle', () => {
    const shares = createExecutionShares(0.5);
    const of = (model: string, sinceMs: number): Contender => ({ model, priority: 'stream', sinceMs });
    for (let batch = 0; batch < 100; batch += 1) shares.end(shares.begin(shares.choose([of('a', batch)])!, 1), 10);
    const order: string[] = [];
    for (let batch = 0; batch < 6; batch += 1) {
      const chosen = shares.choose([of('a', 100 + batch), of('b', 100 + batch)])!;
      order.push(chosen.model);
      shares.end(shares.begin(chosen, 1), 10);
    }
    expect(order.filter((model) => model === 'b')).toHaveLength(3);
  });

  test('nobody is chosen where nobody is ready', () => {
    expect(createExecutionShares(0.5).choose([])).toBeUndefined();
  });
});
