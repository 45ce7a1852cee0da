/**
 * Clients commit concurrently to a log with tiny segments and journals while the power fails (or the process is killed, or the disk refuses)
 * at a random operation; the log is opened again, which may be cut off as well, compared with the model, and used further, on the same disk.
 */
import type { FileSystem } from '../../src/pipeline/file-system.ts';
import { LabelstreamError } from '../../src/core/errors/error.ts';
import type { TopicDescription } from '../../src/pipeline/transport.ts';
import type { AppendRecord, GroupCheckpoint, LogStore, LogTransaction } from '../../src/transports/log/log-store.ts';
import { openSegmentLogStore, type LogLimits, type SegmentLogStore } from '../../src/transports/log/segment-log-store.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { createRetentionModel, type RetentionModel } from './retention-model.ts';
import { createSimulatedDisk, systemError, type DiskOperation, type SimulatedDisk } from './simulated-disk.ts';
import { createTransactionModel, valueOf, Violation, type TransactionModel } from './transaction-model.ts';

export type SimulationOptions = {
  readonly seed: number;
  /** Ends of the process: by power loss, kill, or after a refusal of the disk. */
  readonly crashes: number;
  /** A mutant: the store's file system with something left out. */
  readonly mutate?: (fileSystem: FileSystem) => FileSystem;
};

export type SimulationResult = {
  readonly crashes: number;
  readonly places: ReadonlyMap<string, number>;
  readonly refusals: number;
  readonly transactions: number;
  readonly survivedUnacknowledged: number;
  readonly lost: number;
  /** Records that retention removed. */
  readonly removed: number;
  /** Undefined where the log kept its promises. */
  readonly violation: string | undefined;
};

const directory = '/srv/labelstream/log';
const crashesPerDisk = 20;
const firstTopics: readonly (readonly [string, number])[] = [
  ['labels', 2],
  ['features', 3],
  ['dead-letters', 1],
];

type Chance = () => number;
type World = {
  readonly options: SimulationOptions;
  readonly random: Chance;
  readonly disk: SimulatedDisk;
  readonly model: TransactionModel;
  readonly limits: LogLimits;
  readonly places: Map<string, number>;
  /** Those whose creation was acknowledged. */
  readonly topics: Map<string, TopicDescription>;
  /** Chance that the disk refuses a write or synchronisation. */
  readonly refusalChance: number;
  readonly retention: RetentionModel;
  crashes: number;
  refusals: number;
  incarnations: number;
};

export async function simulatePowerLoss(options: SimulationOptions): Promise<SimulationResult> {
  const random = seededRandom(options.seed);
  const places = new Map<string, number>();
  const total = { crashes: 0, refusals: 0, transactions: 0, survivedUnacknowledged: 0, lost: 0, removed: 0 };
  let violation: string | undefined;
  while (total.crashes < options.crashes && violation === undefined) {
    const world = createWorld(options, random, places);
    violation = await liveOfOneDisk(world, Math.min(crashesPerDisk, options.crashes - total.crashes));
    const counts = world.model.counts();
    total.crashes += world.crashes;
    total.refusals += world.refusals;
    total.transactions += counts.transactions;
    total.survivedUnacknowledged += counts.survivedUnacknowledged;
    total.lost += counts.lost;
    total.removed += Number(world.retention.removed());
  }
  return { ...total, places, violation };
}

function createWorld(options: SimulationOptions, random: Chance, places: Map<string, number>): World {
  return {
    options,
    random,
    disk: createSimulatedDisk(random),
    model: createTransactionModel(),
    limits: {
      segmentBytes: 200 + Math.floor(random() * 1500),
      journalBytes: 200 + Math.floor(random() * 3000),
      recordBytes: 10_000,
      groupCommit: { transactions: 1 + Math.floor(random() * 4), records: 20, bytes: 2000 },
      openClosedSegments: 1 + Math.floor(random() * 3),
    },
    places,
    topics: new Map(),
    retention: createRetentionModel(random),
    refusalChance: random() < 0.25 ? 0.01 : 0,
    crashes: 0,
    refusals: 0,
    incarnations: 0,
  };
}

async function liveOfOneDisk(world: World, crashes: number): Promise<string | undefined> {
  try {
    while (world.crashes < crashes) await session(world);
    await verify(world, await openCalm(world));
    return undefined;
  } catch (error) {
    if (error instanceof Violation) return error.message;
    if (error instanceof LabelstreamError) return `${error.code} out of turn: ${error.message}`;
    throw error;
  }
}

async function verify(world: World, store: LogStore): Promise<void> {
  const found = new Map((await store.topics()).map((topic) => [topic.topic, topic]));
  for (const [name, { incarnation, partitionCount }] of world.topics) {
    const topic = found.get(name);
    if (topic?.incarnation !== incarnation || topic.partitionCount !== partitionCount) throw new Violation(`topic ${name} is gone or another`);
  }
  await world.model.verify(store);
  await world.retention.verify(store);
}

/** One process: opens the log, compares, commits, until it ends. */
async function session(world: World): Promise<void> {
  const { random, disk } = world;
  let operationsLeft = 1 + Math.floor(random() * random() * 400);
  // Opening is many operations, and would take most of the crashes.
  const crashWhileOpening = random() < 0.2;
  const fate = { verifying: false, opening: true, journalAtStart: true, ended: new AbortController() };

  const end = (place: string): void => {
    world.crashes += 1;
    world.places.set(place, (world.places.get(place) ?? 0) + 1);
    if (random() < 0.7) disk.losePower();
    else disk.killProcess();
    fate.ended.abort();
  };
  const hooks = {
    operation: (operation: DiskOperation, phase: 'begin' | 'end'): Error | undefined => {
      if (operation.kind === 'write' && operation.path.endsWith('.journal')) fate.journalAtStart = operation.offset === 0;
      if (fate.verifying || (fate.opening && !crashWhileOpening)) return undefined;
      operationsLeft -= 0.5;
      if (operationsLeft <= 0) {
        end(fate.opening ? 'recovery' : placeOf(operation, fate.journalAtStart));
        return undefined;
      }
      if (!refusable.has(operation.kind) || random() >= world.refusalChance) return undefined;
      world.refusals += 1;
      return systemError(phase === 'begin' && random() < 0.5 ? 'ENOSPC' : 'EIO', operation.path);
    },
  };

  let store: SegmentLogStore;
  const fileSystem = disk.startProcess(hooks);
  try {
    store = await openLog(world, fileSystem);
  } catch (error) {
    if (fate.ended.signal.aborted) return;
    const refused = error instanceof LabelstreamError && (error.code === 'LS_LOG_UNREADABLE' || error.code === 'LS_LOG_FAILED');
    if (refused && world.refusalChance > 0) return;
    throw error;
  }
  // The end may have come with the last operation of opening, which could do without.
  if (isOver(fate.ended.signal)) return;
  fate.opening = false;
  fate.verifying = true;
  await verify(world, store);
  await world.retention.verifyFiles(store, fileSystem, directory);
  fate.verifying = false;
  await useLog(world, store, fate.ended.signal);
  if (random() < 0.5) await store.close().catch(() => undefined);
  if (!isOver(fate.ended.signal)) end('at rest');
}

/** A call, because the compiler takes a property that it saw false to stay so over an await. */
function isOver(ended: AbortSignal): boolean {
  return ended.aborted;
}

const refusable = new Set<DiskOperation['kind']>(['write', 'data-sync', 'directory-sync', 'create', 'make-directory']);

function placeOf(operation: DiskOperation, journalAtStart: boolean): string {
  const { kind, path } = operation;
  if (kind === 'remove' && /\.(log|index)$/.test(path)) return 'retention';
  if (path.endsWith('.index')) return 'index';
  if (path.endsWith('.journal')) return (kind === 'write' || kind === 'data-sync') && !journalAtStart ? 'journal write' : 'journal roll';
  if (path.endsWith('/journal')) return 'journal roll';
  if (path.endsWith('.log')) {
    if (kind === 'create' || operation.offset === 0) return 'segment roll';
    return kind === 'write' || kind === 'data-sync' ? 'append' : 'reading';
  }
  return kind === 'directory-sync' && /\/\d+$/.test(path) ? 'segment roll' : 'topic creation';
}

function openLog(world: World, fileSystem: FileSystem): Promise<SegmentLogStore> {
  return openSegmentLogStore({
    directory,
    fileSystem: world.options.mutate?.(fileSystem) ?? fileSystem,
    // It jumps, also backwards.
    clock: { nowMs: () => world.retention.nowMs() + Math.floor(world.random() * 1000), elapsedMs: () => 0, sleep: () => Promise.resolve() },
    newIncarnation: () => `i${(world.incarnations += 1)}`,
    limits: world.limits,
    retention: world.retention.retention,
  });
}

function openCalm(world: World): Promise<SegmentLogStore> {
  return openLog(world, world.disk.startProcess({ operation: () => undefined }));
}

async function useLog(world: World, store: SegmentLogStore, ended: AbortSignal): Promise<void> {
  for (const [topic, partitionCount] of firstTopics) if (!(await createTopic(world, store, topic, partitionCount, ended))) return;
  const done = new AbortController();
  const readers = [reader(world, store, AbortSignal.any([ended, done.signal]))];
  const further = world.random() < 0.6 ? [createTopic(world, store, `further-${world.crashes}`, 1 + Math.floor(world.random() * 3), ended)] : [];
  const retaining = world.retention.run(store, AbortSignal.any([ended, done.signal]), (error) => requireExpected(world, error, ended));
  await Promise.all([...further, ...['a', 'b', 'c', 'd'].map((client) => commitLoop(world, store, client, ended))]);
  done.abort();
  await Promise.all([...readers, retaining]);
}

async function createTopic(world: World, store: LogStore, topic: string, partitionCount: number, ended: AbortSignal): Promise<boolean> {
  try {
    world.topics.set(topic, await store.createTopic(topic, partitionCount));
    return true;
  } catch (error) {
    requireExpected(world, error, ended);
    return false;
  }
}

async function commitLoop(world: World, store: LogStore, client: string, ended: AbortSignal): Promise<void> {
  for (let count = 0; count < 12 && !ended.aborted; count += 1) {
    const entry = world.model.begin((number) => randomTransaction(world, client, number));
    try {
      await store.commit(entry.transaction);
      entry.outcome = 'acknowledged';
    } catch (error) {
      requireExpected(world, error, ended);
      const outcome = error instanceof LabelstreamError ? error.details['outcome'] : undefined;
      if (outcome !== 'not-committed' && outcome !== 'unknown') throw error;
      entry.outcome = outcome;
      return;
    }
  }
}

/** What a reader was shown must still be there after the crash. */
async function reader(world: World, store: LogStore, ended: AbortSignal): Promise<void> {
  try {
    while (!ended.aborted) {
      const location = randomLocation(world);
      const { endSequence } = await store.bounds(location);
      const from = BigInt(Math.floor(world.random() * Number(endSequence)));
      for (const record of await store.read(location, from, { records: 3, bytes: 500 })) world.model.recordSeen(record);
      await store.waitForRecords(location, endSequence, ended);
    }
  } catch (error) {
    if (error instanceof Violation || !ended.aborted) throw error;
  }
}

function requireExpected(world: World, error: unknown, ended: AbortSignal): void {
  const failed = error instanceof LabelstreamError && error.code === 'LS_LOG_FAILED';
  if (failed && (ended.aborted || world.refusalChance > 0)) return;
  throw error;
}

function randomLocation({ random, topics }: World): { readonly topic: string; readonly partition: number } {
  const { topic, partitionCount } = [...topics.values()][Math.floor(random() * topics.size)] ?? { topic: 'labels', partitionCount: 1 };
  return { topic, partition: Math.floor(random() * partitionCount) };
}

function randomTransaction(world: World, client: string, number: number): LogTransaction {
  const { random } = world;
  const records = Array.from({ length: 1 + Math.floor(random() * 6) }, (_, place): AppendRecord => ({
    ...randomLocation(world),
    key: random() < 0.5 ? null : Buffer.from(`key ${number}`),
    value: valueOf(number, place, Math.floor(random() * random() * 400)),
    headers: random() < 0.5 ? new Map() : new Map([['origin', Buffer.from(`${number}`)]]),
  }));
  const checkpoints = Array.from({ length: Math.floor(random() * 3) }, (): GroupCheckpoint => ({
    // One group of the client's own, one that all share.
    group: random() < 0.5 ? client : 'shared',
    ...randomLocation(world),
    nextSequence: BigInt(number),
    metadata: `${client} ${number} ${'m'.repeat(Math.floor(random() * 50))}`,
  }));
  return { records, checkpoints };
}
