import { describe, expect, it } from 'vitest';
import type { ConsumedRecord } from '../../src/core/records.ts';
import type { StateStore } from '../../src/pipeline/state-store.ts';
import { createMemoryStateStore } from '../pipeline/memory-state-store.ts';
import { echoesOf, echoStage, sumOutput, sumStage, textOf, textRecord, type SumOptions } from '../pipeline/stages.ts';
import { integerIn } from '../pipeline/virtual-clock.ts';
import { createSimulation, requireContiguous, simulate, type Incident, type Simulation } from './runner-simulation.ts';

const full = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const seeds = Number(process.env['LABELSTREAM_SEEDS'] ?? (full ? 5_000 : 200));
/** A failing seed can be run alone. */
const firstSeed = Number(process.env['LABELSTREAM_SEED'] ?? 1);

const outputsOf = (record: ConsumedRecord): number => [1, 0, 3, 1, 12][Number(textOf(record)) % 5] ?? 1;

function publishing(simulation: Simulation, topic: string): () => void {
  let next = 0;
  return () => {
    const partitions = simulation.broker.partitions(topic);
    const records = Array.from({ length: integerIn(simulation.random, 0, 30) }, () => {
      const partition = partitions[integerIn(simulation.random, 0, partitions.length - 1)] ?? { topic, partition: 0 };
      return textRecord(partition, String((next += 1)));
    });
    simulation.broker.append(records);
  };
}

/** Exactly once: the same outputs, each as often. At least once: the same outputs. */
function expectOutputs(simulation: Simulation, actual: string[], expected: string[]): void {
  const label = `seed ${simulation.seed}, ${simulation.delivery}`;
  if (simulation.delivery === 'exactly-once') expect(actual.sort(), label).toEqual(expected.sort());
  else expect([...new Set(actual)].sort(), label).toEqual(expected.sort());
}

async function simulateMap(seed: number, incidents: Map<Incident, number>): Promise<void> {
  const simulation = createSimulation(seed, { in: 1 + (seed % 3), parked: 1, out: 1 }, incidents);
  const { random, clock } = simulation;
  let modelAwayUntilMs = 0;
  const stage = echoStage({
    topics: ['in', 'parked'],
    outputs: outputsOf,
    parkTo: 'parked',
    work: async (_record, signal) => {
      const slow = !simulation.calm && random() < 0.02;
      await clock.sleep(slow ? random() * 20_000 : random() * 50, signal);
    },
    failures: () => (clock.elapsedMs() < modelAwayUntilMs ? ['LS_MODEL_CRASHED'] : []),
  });
  const publish = publishing(simulation, 'in');
  await simulate(simulation, {
    stage,
    inputs: ['in', 'parked'],
    publish: () => {
      if (random() < 0.2) modelAwayUntilMs = clock.elapsedMs() + random() * 3_000;
      publish();
    },
  });
  requireContiguous(simulation, (key) => key?.toString());
  const expected = simulation.broker.allRecords('in').flatMap((record) => echoesOf(record, outputsOf(record)).map(textOf));
  // What failed in an outage stands in the place of the result, and differs from it only by its mark.
  const actual = simulation.broker.allRecords('out').map((record) => textOf(record).replace('failed ', ''));
  expectOutputs(simulation, actual, expected);
}

async function simulateFold(seed: number, incidents: Map<Incident, number>): Promise<void> {
  const simulation = createSimulation(seed, { log: 2, sums: 2 }, incidents);
  const stateStore = createMemoryStateStore(() => (!simulation.calm && simulation.random() < 0.1 ? new RangeError('no space left') : undefined));
  const slow = simulation.random() < 0.5;
  const prepares = preparing(simulation);
  const stage = sumStage('log', { outputs: outputsOf, ...(slow ? { clock: simulation.clock } : {}), ...(prepares === undefined ? {} : { prepares }) });
  await simulate(simulation, { stage, inputs: ['log'], stateStore: checkedStore(simulation, stateStore), publish: publishing(simulation, 'log') });
  requireContiguous(simulation, (key) => key?.toString());
  const expected = simulation.broker.partitions('log').flatMap(({ partition }) =>
    sumsOf(simulation, partition).flatMap(({ record, sum }) => Array.from({ length: outputsOf(record) }, (_, index) => textOf(sumOutput(record, sum, index)))),
  );
  expectOutputs(simulation, simulation.broker.allRecords('sums').map(textOf), expected);
}

/** One thing done after the other: the state after each record of the log. */
function sumsOf({ broker }: Simulation, partition: number): readonly { readonly record: ConsumedRecord; readonly sum: bigint; readonly count: number }[] {
  let sum = 0n;
  return broker.records({ topic: 'log', partition }).map((record, index) => ({ record, sum: (sum += BigInt(textOf(record))), count: index + 1 }));
}

/** At once, after a while, or, where the partition is given up meanwhile, just then. */
function preparing(simulation: Simulation): SumOptions['prepares'] {
  const { random, clock, incidents } = simulation;
  if (random() < 0.3) return undefined;
  const slowness = random() < 0.5 ? 10 : 500;
  return async (_records, stopping) => {
    if (random() < 0.3) return;
    await clock.sleep(random() * slowness, !simulation.calm && random() < 0.3 ? undefined : stopping);
    if (stopping.aborted) incidents.set('unprepared', (incidents.get('unprepared') ?? 0) + 1);
  };
}

/** Refuses a snapshot that is not the state after a record that was committed whole. */
function checkedStore(simulation: Simulation, stateStore: StateStore): StateStore {
  const write: StateStore['write'] = async (header, chunks) => {
    const { sequence, position, partition } = header;
    const whole = simulation.broker.applied.find((each) => each.partition === partition && each.checkpoint.sequence === sequence && each.checkpoint.outputsSent === 0);
    const state = sumsOf(simulation, partition).find(({ record }) => record.sequence === sequence);
    const copied: Buffer[] = [];
    for (const chunk of chunks) {
      copied.push(chunk);
      if (simulation.random() < 0.5) await simulation.clock.sleep(simulation.random() * 20);
    }
    const told = { position, state: copied.map((chunk) => chunk.toString()) };
    const expected = { position: whole?.checkpoint.position, state: [String(state?.sum), String(state?.count)] };
    if (JSON.stringify(told) !== JSON.stringify(expected)) {
      simulation.broken.push(`seed ${simulation.seed}: a snapshot at ${sequence} holds ${JSON.stringify(told)} instead of ${JSON.stringify(expected)}`);
    }
    await stateStore.write(header, copied);
  };
  return { ...stateStore, write };
}

function requireIncidents(incidents: ReadonlyMap<Incident, number>, required: readonly Incident[]): void {
  const summary = [...incidents].map(([name, times]) => `${name} ${times}`).join(', ');
  console.log(`seeds ${firstSeed} to ${firstSeed + seeds - 1}: ${summary}`);
  if (seeds >= 200) expect(required.filter((incident) => (incidents.get(incident) ?? 0) < 5), 'never simulated').toEqual([]);
}

const always: readonly Incident[] = ['clock-set', 'crash', 'revocation', 'fencing', 'stop', 'forced', 'rejected-before', 'rejected-after', 'rejected-between', 'undecided', 'crash-before', 'crash-after', 'crash-between', 'hangs'];

describe('the runner under every interleaving', () => {
  it(`a map loses nothing, invents nothing, and keeps the order (${seeds} seeds)`, { timeout: 3_600_000 }, async () => {
    const incidents = new Map<Incident, number>();
    for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) await simulateMap(seed, incidents);
    requireIncidents(incidents, [...always, 'parked', 'paused', 'resumed']);
  });

  it(`a fold equals the fold of its log, done once and in one go (${seeds} seeds)`, { timeout: 3_600_000 }, async () => {
    const incidents = new Map<Incident, number>();
    for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) await simulateFold(seed, incidents);
    requireIncidents(incidents, [...always, 'snapshot', 'restored', 'kept', 'half-sent', 'unprepared']);
  });
});
