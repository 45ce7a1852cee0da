/**
 * Answers questions about clusters without owning anything: newest snapshot, then the tail of `features` to its end as it is now, through the
 * same fold with its outputs thrown away (SEMANTICS.md, rule 25).
 */
import { stateError } from '../../core/errors/state.ts';
import { topics } from '../../core/topics.ts';
import { rejectionOf } from '../../pipeline/abort.ts';
import type { SnapshotHeader, StateStore } from '../../pipeline/state-store.ts';
import type { Bound, ReadBudget, Transport } from '../../pipeline/transport.ts';
import type { ClusterPartition, ClusterStage } from './cluster-stage.ts';
import type { FeaturesPartition } from './state.ts';
import type { ClusterView } from './cluster-queries.ts';
import { combineViews, type StandingView } from './view.ts';

export type FollowerOptions = {
  readonly transport: Pick<Transport, 'describeTopic' | 'bounds' | 'read' | 'committed'>;
  /** Of the stage. */
  readonly group: string;
  readonly stateStore: Pick<StateStore, 'readNewest'>;
  /** Made with `createClusterStage`; its partitions are opened for this answer alone. */
  readonly stage: Pick<ClusterStage, 'name' | 'open'>;
  /** Of one read. */
  readonly budget?: ReadBudget;
};

export const budgetDefault: ReadBudget = { records: 500, bytes: 8 * 1024 * 1024 };

/** Rejects with LS_STATE_LOG_TRUNCATED, the transport's errors, or the signal's reason. */
export async function followClusters(options: FollowerOptions, signal: AbortSignal): Promise<ClusterView> {
  const { incarnation, partitionCount } = await options.transport.describeTopic(topics.features);
  const partitions: StandingView[] = [];
  for (let partition = 0; partition < partitionCount; partition++) {
    const { folded, sequence } = await foldToEnd(options, { topic: topics.features, partition, incarnation }, signal);
    // What it holds can still be looked at.
    await folded.close();
    partitions.push({ view: folded.view, standing: () => ({ partition, sequence }) });
  }
  return combineViews(partitions);
}

export type FoldedPartition = {
  /** To be closed. */
  readonly folded: ClusterPartition;
  /** Of the last record folded; undefined where none is known to be. */
  readonly sequence: bigint | undefined;
  /** Of the next record; undefined: of the first that is kept. */
  readonly position: string | undefined;
};

/** A partition as of the end of its log now. Rejects as `followClusters` does. */
export async function foldToEnd(options: FollowerOptions, features: FeaturesPartition, signal: AbortSignal): Promise<FoldedPartition> {
  const { transport, stateStore, stage } = options;
  const { start, end } = await transport.bounds(features);
  const { topic, partition, incarnation } = features;
  const lastSequence = end.sequence - 1n;
  // A store that cannot be reached waits; whoever asks need not.
  const unlessEnded = <Result>(promise: Promise<Result>): Promise<Result> => Promise.race([promise, rejectionOf(signal)]);
  const folded = stage.open(features);
  try {
    const restored = stateStore.readNewest({ stage: stage.name, topic, incarnation, partition }, lastSequence, async ({ header, chunks }) => {
      const position = await positionAfter(options, features, start, header);
      await folded.restore(chunks);
      return { position, sequence: header.sequence };
    });
    const from = (await unlessEnded(restored)) ?? { position: await positionAfter(options, features, start, undefined), sequence: undefined };
    return { folded, ...(await foldTail(options, features, folded, { start, end, ...from }, signal)) };
  } catch (error) {
    await folded.close();
    throw error;
  }
}

/** Where to go on after a snapshot, or without one; undefined: with the first record. Rejects with LS_STATE_LOG_TRUNCATED. */
async function positionAfter(
  { transport, stage, group }: FollowerOptions,
  features: FeaturesPartition,
  start: Bound,
  snapshot: SnapshotHeader | undefined,
): Promise<string | undefined> {
  if (start.sequence <= (snapshot?.sequence ?? -1n) + 1n) return snapshot?.position;
  // Where nothing but gaps stood between, the owner has moved its position on over them.
  const committed = await transport.committed(group, features);
  if (committed !== undefined && committed.sequence === snapshot?.sequence) return committed.position;
  const { topic, partition } = features;
  const reached = snapshot === undefined ? 'there is no snapshot' : `the newest snapshot stands at ${String(snapshot.sequence)}`;
  const message = `Partition ${partition} of ${topic} begins at sequence ${String(start.sequence)}, and ${reached}.`;
  throw stateError('LS_STATE_LOG_TRUNCATED', message, { stage: stage.name, topic, partition, startSequence: start.sequence });
}

type Tail = { readonly start: Bound; readonly end: Bound; readonly position: string | undefined; readonly sequence: bigint | undefined };

async function foldTail(
  { transport, budget = budgetDefault }: FollowerOptions,
  features: FeaturesPartition,
  folded: ClusterPartition,
  { start, end, ...from }: Tail,
  signal: AbortSignal,
): Promise<Omit<FoldedPartition, 'folded'>> {
  const lastSequence = end.sequence - 1n;
  let { sequence, position } = from;
  const isEmpty = start.position === end.position;
  while (!isEmpty && position !== end.position && (sequence ?? start.sequence - 1n) < lastSequence) {
    const records = await transport.read(features, position, budget, signal);
    signal.throwIfAborted();
    const wanted = records.filter((record) => record.sequence <= lastSequence);
    await folded.fold(wanted, signal);
    signal.throwIfAborted();
    sequence = wanted.at(-1)?.sequence ?? sequence;
    position = wanted.at(-1)?.nextPosition ?? position;
    if (wanted.length < records.length) break;
  }
  return { sequence, position };
}
