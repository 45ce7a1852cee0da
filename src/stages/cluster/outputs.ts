/** From what a record settled to the records that are published: events with deterministic ids (SEMANTICS.md, rule 3), encoded and addressed. */
import type { Codec } from '../../codec/codec.ts';
import { clusterEventId, collectionIdentity, labelEventId } from '../../core/ids.ts';
import type { ClusterEvent, LabelEvent } from '../../core/events.generated.ts';
import { partitionForKey } from '../../core/partitioning.ts';
import { noHeaders, type OutputRecord } from '../../core/records.ts';
import { topics } from '../../core/topics.ts';
import type { PartitionState } from './state.ts';
import type { ClusterChange, SettledCollection } from './settle.ts';

/** The task that assignments are published under. */
const assignmentTask = 'cluster-assignment';

export type PartitionCounts = { readonly labels: number; readonly clusterEvents: number; readonly deadLetters: number };

export type Publisher = { readonly codec: Pick<Codec, 'encode'>; readonly partitionCounts: PartitionCounts };

/** The collection's cluster events, then its assignments. */
export function collectionOutputs(
  publisher: Publisher,
  state: PartitionState,
  sequence: bigint,
  settled: SettledCollection,
): readonly OutputRecord[] {
  const events = settled.clusterChanges.map((change, index) => {
    const event = clusterEvent(state, sequence, settled, change, index);
    return output(topics.clusterEvents, event.collection, publisher.partitionCounts.clusterEvents, publisher.codec.encode('ClusterEvent', event));
  });
  const labels = settled.assignments.map((told) => {
    const event = labelEvent(state, sequence, settled, told);
    return output(topics.labels, event.inputId, publisher.partitionCounts.labels, publisher.codec.encode('LabelEvent', event));
  });
  return [...events, ...labels];
}

function output(topic: string, key: string, partitionCount: number, value: Buffer): OutputRecord {
  return { topic, partition: partitionForKey(key, partitionCount), key: Buffer.from(key), value, headers: noHeaders };
}

function clusterEvent(
  { epoch }: PartitionState,
  sequence: bigint,
  { family: { name: family, generation }, collection, cause }: SettledCollection,
  change: ClusterChange,
  index: number,
): ClusterEvent {
  const { type, survivor } = change;
  const parts =
    change.type === 'labelled'
      ? { retired: [], minted: [], sizes: [], name: change.name }
      : { retired: change.retired, minted: change.minted, sizes: change.sizes, name: null };
  const id = clusterEventId(collectionIdentity(family, collection), epoch, generation, sequence, index);
  return { id, family, collection, epoch, generation, sequence, index, type, survivor, ...parts, cause };
}

function labelEvent(
  { epoch }: PartitionState,
  sequence: bigint,
  { family: { name: family, generation }, collection }: SettledCollection,
  { item, assignment: { clusterId, role } }: SettledCollection['assignments'][number],
): LabelEvent {
  const { inputId, itemId, origin, routeStep, model, modelVersion } = item;
  const revision = { epoch, number: sequence };
  return {
    id: labelEventId(origin, routeStep, collectionIdentity(family, collection), generation, revision),
    inputId,
    itemId,
    origin,
    routeStep,
    task: assignmentTask,
    model,
    modelVersion,
    revision,
    result: { 'labelstream.v1.Assignment': { family, collection, generation, clusterId, role, sequence } },
  };
}
