/**
 * Many processes, one after the other and two at a time, run the two stages against a broker that fails in every way the port allows, under
 * virtual time, from one seed. Every delivery is checked as it takes effect; the caller checks what is there at the end.
 */
import type { Random } from '../../src/core/clock.ts';
import type { ConsumedRecord, TopicPartition } from '../../src/core/records.ts';
import { defaultRunnerLimits, type RunnerLimits } from '../../src/pipeline/limits.ts';
import { silentObserver } from '../../src/pipeline/observe.ts';
import { startRunner, type Runner } from '../../src/pipeline/runner.ts';
import type { Stage } from '../../src/pipeline/stage.ts';
import type { StateStore } from '../../src/pipeline/state-store.ts';
import type { Delivery } from '../../src/pipeline/transport.ts';
import { createMemoryBroker, type MemoryBroker } from '../pipeline/memory-broker.ts';
import type { MemoryClient } from '../pipeline/memory-client.ts';
import { deliverFaults, noFaults, type Faults } from '../pipeline/memory-faults.ts';
import { endsOf } from '../pipeline/runner-fixture.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { createVirtualClock, integerIn, type VirtualClock } from '../pipeline/virtual-clock.ts';

const hourMs = 3_600_000;

export type Incident = 'clock-set' | 'crash' | 'revocation' | 'fencing' | 'stop' | 'parked' | 'forced' | 'snapshot' | 'restored' | 'kept' | 'unprepared' | 'paused' | 'resumed' | 'half-sent' | (typeof deliverFaults)[number];

export type Simulation = {
  readonly seed: number;
  readonly random: Random;
  readonly clock: VirtualClock;
  readonly broker: MemoryBroker;
  readonly delivery: Delivery;
  readonly limits: RunnerLimits;
  /** What happened, counted over all seeds by the caller, who refuses a run in which something never did. */
  readonly incidents: Map<Incident, number>;
  /** While true, the broker and the model behave: at the end everything must come out. */
  calm: boolean;
  /** What was found wrong where nothing may be thrown. */
  readonly broken: string[];
};

export function createSimulation(seed: number, topics: Readonly<Record<string, number>>, incidents: Map<Incident, number>): Simulation {
  const random = seededRandom(seed);
  const clock = createVirtualClock(random);
  const broker = createMemoryBroker({ clock, gap: () => (random() < 0.2 ? integerIn(random, 1, 3) : 0) });
  for (const [topic, partitionCount] of Object.entries(topics)) broker.createTopic(topic, partitionCount);
  return {
    seed,
    random,
    clock,
    broker,
    delivery: random() < 0.5 ? 'exactly-once' : 'at-least-once',
    limits: randomLimits(random),
    incidents,
    calm: false,
    broken: [],
  };
}

function randomLimits(random: Random): RunnerLimits {
  const pick = (...values: readonly number[]): number => values[integerIn(random, 0, values.length - 1)] ?? 1;
  return {
    ...defaultRunnerLimits,
    recordsInFlightMax: pick(8, 40, 1_000),
    bytesInFlightMax: pick(2_000, 1_000_000),
    partitionRecordsInFlightMax: pick(1, 5, 30, 1_000),
    deliveryRecordsMax: pick(1, 3, 10, 1_000),
    deliveryBytesMax: pick(200, 1_000, 1_000_000),
    lingerMs: pick(0, 5, 50),
    holdMsMax: pick(50, 300, 5_000),
    foldRecordsMax: pick(1, 4, 100),
    snapshotEveryRecords: pick(1, 10, 50),
    snapshotEveryMs: pick(100, 2_000, 1_000_000),
    revokeDeadlineMs: pick(0, 100, 10_000),
    patience: { baseMs: 5, capMs: pick(10, 200) },
  };
}

function count(simulation: Simulation, incident: Incident): void {
  simulation.incidents.set(incident, (simulation.incidents.get(incident) ?? 0) + 1);
}

/** How bad the broker is differs from seed to seed. */
function simulatedFaults(simulation: Simulation): Faults {
  const { random } = simulation;
  const badness = [0, 0.02, 0.1, 0.3][integerIn(random, 0, 3)] ?? 0;
  const slowness = integerIn(random, 0, 1) === 0 ? 0 : 20;
  const strikes = (): boolean => !simulation.calm && random() < badness;
  return {
    deliver: (_partition, _outputs, checkpoint) => {
      if (checkpoint.outputsSent > 0) count(simulation, 'half-sent');
      const fault = strikes() ? (deliverFaults[integerIn(random, 1, deliverFaults.length - 1)] ?? 'none') : 'none';
      count(simulation, fault);
      return fault;
    },
    decides: () => random() < 0.5,
    poll: () => (strikes() ? (random() < 0.5 ? 'rejected' : 'rejected-with-records-lost') : 'none'),
    committed: () => (strikes() ? 'rejected' : 'none'),
    append: () => (strikes() ? (random() < 0.5 ? 'rejected-before' : 'rejected-after') : noFaults.append()),
    delayMs: () => (random() < 0.5 ? 0 : random() * slowness),
  };
}

type Member = { readonly client: MemoryClient; readonly runner: Runner };

export type Scenario = {
  readonly stage: Stage;
  readonly inputs: readonly string[];
  readonly stateStore?: StateStore;
  /** Publishes a little more; called while things go wrong. */
  readonly publish: () => void;
};

/** Runs the scenario through its incidents, then calms down until everything is handled. */
export async function simulate(simulation: Simulation, scenario: Scenario): Promise<void> {
  const { random, clock, broker } = simulation;
  const partitions = scenario.inputs.flatMap((topic) => broker.partitions(topic));
  let members: Member[] = [];
  const alive = (): Member[] => (members = members.filter(({ client }) => !client.isCrashed()));
  const unowned = (): TopicPartition[] => {
    const owned = new Set(alive().flatMap(({ client }) => client.owned().map(({ topic, partition }) => `${topic}/${partition}`)));
    return partitions.filter(({ topic, partition }) => !owned.has(`${topic}/${partition}`));
  };
  /** What nobody owns goes to somebody; a member more where there is none. */
  const rebalance = async (): Promise<void> => {
    if (alive().length < integerIn(random, 1, 2)) members.push(await startMember(simulation, scenario));
    for (const topicPartition of unowned()) {
      const current = alive();
      await current[integerIn(random, 0, current.length - 1)]?.client.assign([topicPartition]);
    }
  };
  const incidents = integerIn(random, 3, 12);
  for (let incident = 0; incident < incidents; incident += 1) {
    scenario.publish();
    if (random() < 0.1) {
      count(simulation, 'clock-set');
      clock.setWall((random() - 0.5) * 2 * hourMs);
    }
    await clock.drive(rebalance());
    await clock.pass(random() * 500);
    const current = alive();
    const member = current[integerIn(random, 0, current.length - 1)];
    if (member !== undefined) await clock.drive(disturb(simulation, member));
    requireHealthy(simulation, alive());
  }
  simulation.calm = true;
  await clock.drive(rebalance());
  const ends = endsOf(broker, scenario.inputs);
  await clock.drive(Promise.race([Promise.all(alive().map(({ runner }) => runner.drainedTo(ends))), failureOf(members)]));
  for (const { runner } of alive()) await clock.drive(runner.stop({ deadlineMs: 10_000 }));
  requireHealthy(simulation, alive());
}

const failures = new WeakMap<Runner, Error>();

async function startMember(simulation: Simulation, { stage, stateStore }: Scenario): Promise<Member> {
  const { broker, clock, delivery, limits } = simulation;
  const client = broker.connect({ faults: simulatedFaults(simulation), assigned: [] });
  const runner = await startRunner({
    transport: client.transport,
    stage,
    group: 'group',
    delivery,
    clock,
    random: simulation.random,
    limits,
    ...(stateStore === undefined ? {} : { stateStore }),
    observer: {
      ...silentObserver,
      parked: () => count(simulation, 'parked'),
      forced: () => count(simulation, 'forced'),
      snapshotWritten: () => count(simulation, 'snapshot'),
      restored: (_partition, { kept, snapshotSequence }) => {
        if (kept) count(simulation, 'kept');
        else if (snapshotSequence !== undefined) count(simulation, 'restored');
      },
      snapshotFailed: (_partition, error) => {
        if (!(error instanceof RangeError && error.message === 'no space left')) simulation.broken.push(`seed ${simulation.seed}: ${String(error)}`);
      },
      snapshotsDiscarded: (_partition, sequences) => {
        throw new RangeError(`seed ${simulation.seed}: snapshots at ${sequences.join()} stood above what was committed`);
      },
      paused: () => count(simulation, 'paused'),
      resumed: () => count(simulation, 'resumed'),
      inFlight: (partition, held) => {
        if (held.records > limits.partitionRecordsInFlightMax) {
          throw new RangeError(`seed ${simulation.seed}: ${held.records} records in flight on ${partition.topic}/${partition.partition}`);
        }
      },
    },
  });
  void runner.failed.then((error) => failures.set(runner, error));
  return { client, runner };
}

async function disturb(simulation: Simulation, { client, runner }: Member): Promise<void> {
  const { random } = simulation;
  const given = client.owned().filter(() => random() < 0.6);
  const chance = random();
  if (chance < 0.3) {
    count(simulation, 'crash');
    client.crash();
  } else if (chance < 0.6) {
    count(simulation, 'revocation');
    await client.revoke(given);
  } else if (chance < 0.75) {
    count(simulation, 'fencing');
    client.fence(given);
  } else if (chance < 0.9) {
    count(simulation, 'stop');
    // A process that stopped is gone, whatever it left hanging.
    await Promise.race([runner.stop({ deadlineMs: integerIn(random, 0, 2_000) }), client.crashed]);
    client.crash();
  }
}

function requireHealthy({ seed, broken }: Simulation, members: readonly Member[]): void {
  if (broken.length > 0) throw new Error(broken.join());
  for (const { runner } of members) {
    const error = failures.get(runner);
    if (error !== undefined) throw new Error(`seed ${seed}: the runner failed: ${error.message}`, { cause: error });
  }
}

function failureOf(members: readonly Member[]): Promise<never> {
  return Promise.race(members.map(async ({ runner }): Promise<never> => Promise.reject(await runner.failed)));
}

/**
 * Every delivery that took effect continues where the one before it ended, and holds the outputs of exactly the records in between, in their
 * order: `expected` says what a record's place may hold.
 */
export function requireContiguous(simulation: Simulation, readOf: (key: Buffer | null) => string | undefined): void {
  const { broker, seed } = simulation;
  const standing = new Map<string, { readonly sequence: bigint; readonly outputsSent: number }>();
  for (const { topic, partition, previous, outputs, checkpoint } of broker.applied) {
    const name = `${topic}/${partition}`;
    const before = standing.get(name);
    if (before?.sequence !== previous?.sequence || before?.outputsSent !== previous?.outputsSent) throw new RangeError(`seed ${seed}: a checkpoint of ${name} was lost`);
    const from = previous?.sequence ?? -1n;
    const through = checkpoint.outputsSent > 0 ? firstAfter(broker.records({ topic, partition }), checkpoint.sequence) : checkpoint.sequence;
    if (checkpoint.sequence < from || (checkpoint.sequence === from && previous !== undefined && checkpoint.outputsSent <= previous.outputsSent)) {
      throw new RangeError(`seed ${seed}: ${name} went back from ${from} to ${checkpoint.sequence}`);
    }
    let last = from;
    for (const output of outputs) {
      const read = readOf(output.key);
      const sequence = read?.startsWith(`${name}/`) === true ? BigInt(read.slice(name.length + 1)) : undefined;
      if (sequence === undefined || sequence < last || sequence <= from || sequence > through) {
        throw new RangeError(`seed ${seed}: ${name} released ${read ?? 'something'} between ${from} and ${through}, after ${last}`);
      }
      last = sequence;
    }
    standing.set(name, checkpoint);
  }
}

function firstAfter(records: readonly ConsumedRecord[], sequence: bigint): bigint {
  return records.find((record) => record.sequence > sequence)?.sequence ?? sequence;
}
