/**
 * The engine as it is measured: CLUSTER on the embedded log, run by the runner, one durable commit of outputs and position per batch of 64. It goes
 * on only as far as it is let (gate.ts).
 */
import { join } from 'node:path';
import { open, readdir, readFile } from 'node:fs/promises';
import type { OpenSearch } from '../../src/clustering/neighbour-search.ts';
import { createNeighbourSearch } from '../../src/clustering/search/fast-search.ts';
import { createSearchWorkers } from '../../src/clustering/search/search-workers.ts';
import { openCodec } from '../../src/codec/codec.ts';
import { startStallMonitor } from '../../src/observation/main-loop-stall.ts';
import { createCondition, type Condition } from '../../src/pipeline/condition.ts';
import { createDirectoryStateStore } from '../../src/pipeline/directory-state-store.ts';
import { defaultRunnerLimits } from '../../src/pipeline/limits.ts';
import { createNodeFileSystem } from '../../src/pipeline/node-file-system.ts';
import { silentObserver, type RunnerObserver } from '../../src/pipeline/observe.ts';
import { startRunner } from '../../src/pipeline/runner.ts';
import { systemClock } from '../../src/pipeline/system-clock.ts';
import { createClusterStage, type ClusterPartition, type ClusterStage } from '../../src/stages/cluster/cluster-stage.ts';
import { itemIdOf, openBenchLog } from './bench-log.ts';
import { createGate, type Gate } from './gate.ts';
import { cpuSecondsSince } from './statistics.ts';

export const commitRecords = 64;

export type EngineOptions = {
  readonly directory: string;
  readonly group: string;
  readonly snapshots: boolean;
  /** Of one commit; left out: one for each record of a batch, so that batches that wait for a commit do not share the next. */
  readonly deliveryRecordsMax?: number;
};

export type Advance = {
  readonly endSequence: bigint;
  /** One record after the other, each with a durable commit of its own, and each timed. */
  readonly singly?: boolean;
  /** In batches, but each record folded and timed by itself. */
  readonly timesFolds?: boolean;
};

export type Advanced = {
  readonly items: number;
  readonly commits: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Processor time of the main thread within one turn of its loop. */
  readonly longestStallMs: number;
  /** Of `singly`: from where a record may be read to where what came of it is durable. */
  readonly latenciesMs: readonly number[];
  /** Of `timesFolds`: by the clock, and processor time of the main thread. */
  readonly folds: Folds<readonly number[]>;
};

type Folds<Times> = { readonly wallMs: Times; readonly cpuMs: Times };

export type Labels = { readonly clusters: Int32Array; readonly cores: Uint8Array };

export type Engine = {
  /** Folds, and where the group has not got it behind it also delivers, what lies before the sequence. */
  readonly advance: (to: Advance) => Promise<Advanced>;
  /** Of points, in their order: a number for each cluster, -1 for noise and -2 for what is not there. */
  readonly labels: (points: readonly number[]) => Labels;
  readonly peakResidentBytes: () => Promise<number>;
  /** Goes on to the sequence and writes a snapshot after it. */
  readonly snapshot: (endSequence: bigint) => Promise<{ readonly seconds: number }>;
  /** How the state was brought back at the start. */
  readonly restored: () => Promise<{ readonly seconds: number; readonly fromSnapshot: boolean }>;
  readonly close: () => Promise<void>;
};

type Progress = {
  standing: bigint;
  commits: number;
  restored: Parameters<RunnerObserver['restored']>[1] | undefined;
  snapshotsMs: number[];
  /** Where the next snapshot is to stand. */
  snapshotAt: bigint | undefined;
  timesFolds: boolean;
  folds: Folds<number[]>;
  failure: Error | undefined;
  readonly changed: Condition;
};

export async function openEngine({ directory, group, snapshots, deliveryRecordsMax = commitRecords }: EngineOptions): Promise<Engine> {
  const progress: Progress = {
    standing: -1n, commits: 0, restored: undefined, snapshotsMs: [], snapshotAt: undefined, timesFolds: false, folds: noFolds(), failure: undefined, changed: createCondition(systemClock),
  };
  const gate = createGate(await openBenchLog(directory), systemClock);
  let partition: ClusterPartition | undefined;
  const workers = createSearchWorkers();
  const openSearch: OpenSearch = (dimensions, parameters) => createNeighbourSearch(dimensions, parameters, { workers });
  const stage = createClusterStage({ codec: await openCodec(), partitionCounts: { labels: 1, clusterEvents: 1, deadLetters: 1 }, openSearch });
  const runner = await startRunner({
    transport: gate.transport,
    stage: timed(stage, progress, (opened) => (partition = opened)),
    group,
    delivery: 'exactly-once',
    ...(snapshots ? { stateStore: createDirectoryStateStore({ directory: join(directory, 'state'), fileSystem: createNodeFileSystem() }) } : {}),
    clock: systemClock,
    random: Math.random,
    limits: {
      ...defaultRunnerLimits,
      foldRecordsMax: commitRecords,
      deliveryRecordsMax,
      snapshotEveryMs: Infinity,
      get snapshotEveryRecords() {
        return progress.snapshotAt !== undefined && progress.standing >= progress.snapshotAt ? 1 : Infinity;
      },
    },
    observer: observing(progress),
  });
  const advance = (to: Advance): Promise<Advanced> => advanceEngine(gate, progress, to);
  return {
    advance,
    labels: (points) => labelsOf(partition, points),
    peakResidentBytes,
    snapshot: async (endSequence) => {
      progress.snapshotAt = endSequence - 1n;
      const before = progress.snapshotsMs.length;
      await advance({ endSequence });
      await reached(progress, () => progress.snapshotsMs.length > before);
      progress.snapshotAt = undefined;
      return { seconds: (progress.snapshotsMs.at(-1) ?? 0) / 1000 };
    },
    restored: async () => {
      await reached(progress, () => progress.restored !== undefined);
      return { seconds: (progress.restored?.durationMs ?? 0) / 1000, fromSnapshot: progress.restored?.snapshotSequence !== undefined };
    },
    close: async () => {
      await runner.stop({ deadlineMs: 30_000 });
      await workers.close();
      await gate.transport.close();
    },
  };
}

const noFolds = (): Folds<number[]> => ({ wallMs: [], cpuMs: [] });

function observing(progress: Progress): RunnerObserver {
  const note = (change: () => void): void => {
    change();
    progress.changed.notify();
  };
  let committed = -1n;
  const fail = (error: unknown): void => note(() => (progress.failure ??= error instanceof Error ? error : new Error(String(error))));
  return {
    ...silentObserver,
    assigned: (_, { sequence }) => (committed = sequence),
    restoring: (_, remaining) => note(() => (progress.standing = committed - remaining)),
    restored: (_, restored) => note(() => (progress.restored = restored)),
    delivered: (_, { checkpoint }) => {
      progress.commits += 1;
      note(() => (progress.standing = checkpoint.sequence));
    },
    deadLettered: (_, code) => fail(new Error(`a record became a dead letter: ${code}`)),
    snapshotWritten: (_, __, durationMs) => note(() => progress.snapshotsMs.push(durationMs)),
    snapshotFailed: (_, error) => fail(error),
    deliveryRetried: (_, __, error) => fail(error),
    failed: (error) => fail(error),
  };
}

function timed(stage: ClusterStage, progress: Progress, opened: (partition: ClusterPartition) => void): ClusterStage {
  return {
    ...stage,
    open: (place) => {
      const partition = stage.open(place);
      opened(partition);
      return {
        ...partition,
        fold: async (records, stopping) => {
          if (!progress.timesFolds) return partition.fold(records, stopping);
          const outputs = [];
          for (const record of records) {
            const [startedMs, cpuAtStart] = [performance.now(), process.threadCpuUsage()];
            outputs.push(...(await partition.fold([record], stopping)));
            progress.folds.wallMs.push(performance.now() - startedMs);
            const { user, system } = process.threadCpuUsage(cpuAtStart);
            progress.folds.cpuMs.push((user + system) / 1000);
          }
          return outputs;
        },
      };
    },
  };
}

async function reached(progress: Progress, isReached: () => boolean): Promise<void> {
  await progress.changed.until(() => isReached() || progress.failure !== undefined);
  if (progress.failure !== undefined) throw progress.failure;
}

async function advanceEngine(gate: Gate, progress: Progress, { endSequence, singly = false, timesFolds = false }: Advance): Promise<Advanced> {
  const [from, commitsBefore] = [progress.standing + 1n, progress.commits];
  progress.timesFolds = timesFolds;
  progress.folds = noFolds();
  const latenciesMs: number[] = [];
  const stalls = startStallMonitor();
  const cpuAtStart = process.cpuUsage();
  const startedMs = performance.now();
  for (let end = singly ? from + 1n : endSequence; end <= endSequence; end += 1n) {
    const openedMs = performance.now();
    gate.open(end);
    await reached(progress, () => progress.standing >= end - 1n);
    if (singly) latenciesMs.push(performance.now() - openedMs);
  }
  const advanced = {
    items: Number(endSequence - from),
    commits: progress.commits - commitsBefore,
    seconds: (performance.now() - startedMs) / 1000,
    cpuSeconds: cpuSecondsSince(cpuAtStart),
    longestStallMs: stalls.longestMs(),
    latenciesMs,
    folds: progress.folds,
  };
  stalls.stop();
  progress.timesFolds = false;
  return advanced;
}

function labelsOf(partition: ClusterPartition | undefined, points: readonly number[]): Labels {
  const numbers = new Map<string, number>();
  const clusters = new Int32Array(points.length).fill(-2);
  const cores = new Uint8Array(points.length);
  for (const [place, point] of points.entries()) {
    const [item] = partition?.view.item(itemIdOf(point)) ?? [];
    if (item === undefined) continue;
    const { clusterId, role } = item;
    if (clusterId !== null && !numbers.has(clusterId)) numbers.set(clusterId, numbers.size);
    clusters[place] = clusterId === null ? -1 : (numbers.get(clusterId) ?? -1);
    cores[place] = role === 'core' ? 1 : 0;
  }
  return { clusters, cores };
}

/**
 * The high-water mark of this program. What `resourceUsage` tells begins, on Linux, with the memory of the parent that the process was forked from, so
 * it serves only where there is nothing better.
 */
async function peakResidentBytes(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? process.resourceUsage().maxRSS;
  return Number(kibibytes) * 1024;
}

/** The newest snapshot file, read as it lies, in pieces. */
export async function readSnapshotPlainly(directory: string): Promise<{ readonly bytes: number; readonly seconds: number }> {
  const names = await readdir(join(directory, 'state'), { recursive: true });
  const newest = names.filter((name) => name.endsWith('.snapshot')).sort().at(-1);
  if (newest === undefined) throw new Error('there is no snapshot');
  const file = await open(join(directory, 'state', newest), 'r');
  const piece = Buffer.alloc(1024 * 1024);
  const startedMs = performance.now();
  let bytes = 0;
  for (;;) {
    const { bytesRead } = await file.read(piece, 0, piece.length, bytes);
    if (bytesRead === 0) break;
    bytes += bytesRead;
  }
  const seconds = (performance.now() - startedMs) / 1000;
  await file.close();
  return { bytes, seconds };
}

