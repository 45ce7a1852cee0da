/** A broker, a virtual clock and short limits: what most tests of the runner begin with. */
import { defaultRunnerLimits, type RunnerLimits } from '../../src/pipeline/limits.ts';
import { silentObserver, type RunnerObserver } from '../../src/pipeline/observe.ts';
import { startRunner, type DrainEnd, type Runner, type RunnerOptions } from '../../src/pipeline/runner.ts';
import type { Stage } from '../../src/pipeline/stage.ts';
import type { Transport } from '../../src/pipeline/transport.ts';
import { createMemoryBroker, type MemoryBroker } from './memory-broker.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { createVirtualClock, type VirtualClock } from './virtual-clock.ts';

export const testLimits: RunnerLimits = {
  ...defaultRunnerLimits,
  processRetry: { attemptsMax: 3, baseMs: 10, capMs: 100, waitedForCodes: new Set() },
  patience: { baseMs: 10, capMs: 200 },
};

export type Told = readonly [event: keyof RunnerObserver, ...details: readonly unknown[]];

/** Writes down what it is told, partitions left out. */
export function recordingObserver(): { readonly observer: RunnerObserver; readonly told: Told[] } {
  const told: Told[] = [];
  const observer: RunnerObserver = {
    ...silentObserver,
    ended: () => void told.push(['ended']),
    delivered: (_partition, delivery) => void told.push(['delivered', delivery]),
    deliveryRetried: (_partition, attempt) => void told.push(['deliveryRetried', attempt]),
    pollRetried: (_partition, attempt) => void told.push(['pollRetried', attempt]),
    deadLettered: (_partition, code) => void told.push(['deadLettered', code]),
    parked: (_partition, sequence, heldMs) => void told.push(['parked', sequence, heldMs]),
    paused: (_partition, code) => void told.push(['paused', code]),
    resumed: () => void told.push(['resumed']),
    restored: (_partition, restored) => void told.push(['restored', restored]),
    snapshotWritten: (_partition, sequence) => void told.push(['snapshotWritten', sequence]),
    snapshotFailed: (_partition, error) => void told.push(['snapshotFailed', error]),
    snapshotsDiscarded: (_partition, sequences) => void told.push(['snapshotsDiscarded', sequences]),
    ownRecordAppended: () => void told.push(['ownRecordAppended']),
    failed: (error) => void told.push(['failed', error]),
    forced: (records) => void told.push(['forced', records]),
  };
  return { observer, told };
}

export const eventsOf = (told: readonly Told[], event: keyof RunnerObserver): readonly Told[] => told.filter(([name]) => name === event);

export type Fixture = {
  readonly clock: VirtualClock;
  readonly broker: MemoryBroker;
  readonly start: (transport: Transport, stage: Stage, options?: Partial<RunnerOptions>) => Promise<Runner>;
  readonly drain: (runner: Runner, topics: readonly string[]) => Promise<void>;
  readonly stop: (runner: Runner) => Promise<{ readonly forced: boolean }>;
};

export function createFixture(topics: Readonly<Record<string, number>>, seed = 1): Fixture {
  const random = seededRandom(seed);
  const clock = createVirtualClock(random);
  const broker = createMemoryBroker({ clock, gap: () => (random() < 0.3 ? 1 : 0) });
  for (const [topic, partitionCount] of Object.entries(topics)) broker.createTopic(topic, partitionCount);
  return {
    clock,
    broker,
    start: (transport, stage, options) =>
      clock.drive(
        startRunner({ transport, stage, group: 'group', delivery: 'exactly-once', clock, random, limits: testLimits, ...options }),
      ),
    drain: (runner, names) => clock.drive(runner.drainedTo(endsOf(broker, names))),
    stop: (runner) => clock.drive(runner.stop({ deadlineMs: 10_000 })),
  };
}

export function endsOf(broker: MemoryBroker, topics: readonly string[]): readonly DrainEnd[] {
  return topics.flatMap((topic) =>
    broker.partitions(topic).map((topicPartition) => ({ ...topicPartition, sequence: broker.bounds(topicPartition).end.sequence })),
  );
}
