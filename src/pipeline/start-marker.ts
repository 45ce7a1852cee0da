/**
 * That a group has started in a partition, kept outside of its positions: Kafka removes those of a group without members after a while
 * (`offsets.retention.minutes`). A group that started and has no position has lost it, and to begin as at a first start would leave out or repeat
 * what was published meanwhile (SEMANTICS.md, rule 23). Nor is it a first start where the topic was made anew. The mark is an empty entry of the state store beside the snapshots.
 */
import { pipelineError } from '../core/errors/pipeline.ts';
import { unlessAborted } from './abort.ts';
import type { SnapshotKey, StateStore } from './state-store.ts';
import { isOfFormerTopic } from './stored-snapshots.ts';
import type { AssignedPartition, Checkpoint } from './transport.ts';

export type StartMarkers = {
  readonly stateStore: Pick<StateStore, 'list' | 'names' | 'write'>;
  readonly group: string;
  /** Of a fold: its snapshots say as well that it started. */
  readonly fold: string | undefined;
  /** A mark could not be written; the next start tries again. */
  readonly failed: (partition: AssignedPartition, error: unknown) => void;
};

const markSequence = 0n;

/** Rejects with LS_TRANSPORT_POSITION_LOST. */
export async function requireNeverStarted(partition: AssignedPartition, { stateStore, group, fold }: StartMarkers, signal: AbortSignal): Promise<void> {
  const marks = stateStore.list(keyOf(stageOf(group), partition));
  const snapshots = fold === undefined ? [] : stateStore.list(keyOf(fold, partition));
  const [marked, [newest]] = (await unlessAborted(Promise.all([marks, snapshots]), signal)) ?? [[], []];
  if (marked.length === 0 && newest === undefined) return;
  const { topic, partition: number } = partition;
  const standing = newest === undefined ? '' : ` Its newest snapshot stands at ${newest}: from ${newest + 1n} on, its outputs after that are told again.`;
  throw pipelineError(
    'LS_TRANSPORT_POSITION_LOST',
    `Group ${group} has worked on partition ${number} of ${topic}, and its position there is gone: it expired while the group had no members, or was deleted.${standing}`,
    { group, topic, partition: number, ...(newest === undefined ? {} : { snapshotSequence: newest }) },
  );
}

/** Whether the group has started in a former incarnation of the topic, with which its positions went. */
export async function hasStartedBefore(topic: string, incarnation: string, { stateStore, group }: StartMarkers): Promise<boolean> {
  const stage = stageOf(group);
  return (await stateStore.names(stage)).some((name) => isOfFormerTopic(name, { stage, topic, incarnation }));
}

/** Never rejects. */
export async function markStarted(partition: AssignedPartition, { position }: Checkpoint, { stateStore, group, failed }: StartMarkers): Promise<void> {
  try {
    await stateStore.write({ ...keyOf(stageOf(group), partition), sequence: markSequence, position }, []);
  } catch (error) {
    failed(partition, error);
  }
}

const stageOf = (group: string): string => `${group}.started`;

function keyOf(stage: string, { topic, incarnation, partition }: AssignedPartition): SnapshotKey {
  return { stage, topic, incarnation, partition };
}
