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

type Place = Omit<SnapshotKey, 'stage'>;
type LostPosition = { readonly partition: Place; readonly newestSnapshot: bigint | undefined };

/** Rejects with LS_TRANSPORT_POSITION_LOST, which names them all: positions expire together, and are to be set again together. */
export async function requireNeverStarted<Started extends Place>(partitions: readonly Started[], markers: Omit<StartMarkers, 'failed'>, signalOf: (partition: Started) => AbortSignal): Promise<void> {
  const found = await Promise.all(partitions.map((partition) => lostPosition(partition, markers, signalOf(partition))));
  const lost = found.flatMap((each) => each ?? []);
  const [first] = lost;
  if (first === undefined) return;
  const { group } = markers;
  const numbers = new Map<string, number[]>();
  for (const { partition } of lost) numbers.set(partition.topic, [...(numbers.get(partition.topic) ?? []), partition.partition]);
  const places = [...numbers].map(([topic, each]) => `${topic} (${each.sort((left, right) => left - right).join(', ')})`);
  const snapshots = lost.flatMap(({ partition, newestSnapshot: at }) =>
    at === undefined ? [] : [` The newest snapshot of partition ${partition.partition} of ${partition.topic} stands at ${at}: from ${at + 1n} on, its outputs after that are told again.`],
  );
  const { topic, partition } = first.partition;
  throw pipelineError(
    'LS_TRANSPORT_POSITION_LOST',
    `Group ${group} has worked on partitions where its position is gone: it expired while the group had no members, or was deleted. They are of ${places.join(', ')}.${snapshots.join('')}`,
    { group, topic, partition, partitions: lost.length, ...(first.newestSnapshot === undefined ? {} : { snapshotSequence: first.newestSnapshot }) },
  );
}

async function lostPosition(partition: Place, { stateStore, group, fold }: Omit<StartMarkers, 'failed'>, signal: AbortSignal): Promise<LostPosition | undefined> {
  const marks = stateStore.list(keyOf(stageOf(group), partition));
  const snapshots = fold === undefined ? [] : stateStore.list(keyOf(fold, partition));
  const [marked, [newestSnapshot]] = (await unlessAborted(Promise.all([marks, snapshots]), signal)) ?? [[], []];
  return marked.length === 0 && newestSnapshot === undefined ? undefined : { partition, newestSnapshot };
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

function keyOf(stage: string, { topic, incarnation, partition }: Place): SnapshotKey {
  return { stage, topic, incarnation, partition };
}
