/** From what a record settled to the records that are published: events with deterministic ids (SEMANTICS.md, rule 3), encoded and addressed. */
import type { Codec } from '../../codec/codec.ts';
import { clusterEventId, collectionIdentity, labelEventId } from '../../core/ids.ts';
import type { ClusterEvent, LabelEvent } from '../../core/events.generated.ts';
import { partitionForKey } from '../../core/partitioning.ts';
import { noHeaders, type Headers, type OutputRecord } from '../../core/records.ts';
import { topics } from '../../core/topics.ts';
import type { EventHeaders } from '../../pipeline/event-headers.ts';
import type { CollectionName, PartitionState } from './state.ts';
import type { ClusterChange, SettledCollection } from './settle.ts';

/** The task that assignments are published under. */
const assignmentTask = 'cluster-assignment';

export type PartitionCounts = { readonly labels: number; readonly clusterEvents: number; readonly deadLetters: number };

export type Publisher = { readonly codec: Pick<Codec, 'encode'>; readonly partitionCounts: PartitionCounts; readonly eventHeaders: EventHeaders };

export type FoldedCause = {
  /** Of the record that is folded, as are its headers. */
  readonly sequence: bigint;
  readonly headers: Headers;
  /** Of the item that the record is about, where it is about one. */
  readonly itemId: string | undefined;
  /** Told with this record, before all else. */
  readonly resets: readonly CollectionName[];
};

/**
 * The collection's cluster events, then its assignments. What is told of the record's own item, and of clusters because of it, belongs to its
 * trace; what other items are told because of it does not: their traces are others. Encoded as they are taken, before the next record is folded.
 */
export function* collectionOutputs(publisher: Publisher, state: PartitionState, record: FoldedCause, settled: SettledCollection): Generator<OutputRecord> {
  const { codec, partitionCounts, eventHeaders } = publisher;
  const { sequence } = record;
  const traceOf = (itemId: string): Headers => (itemId === record.itemId ? record.headers : noHeaders);
  const { family, collection } = settled;
  const firstIndex = record.resets.some((reset) => reset.family === family.name && reset.collection === collection) ? resetIndex + 1 : 0;
  for (const [index, change] of settled.clusterChanges.entries()) {
    const event = clusterEvent(state, sequence, settled, change, firstIndex + index);
    const headers = eventHeaders('ClusterEvent', event.id, traceOf(settled.cause));
    yield output(topics.clusterEvents, event.collection, partitionCounts.clusterEvents, codec.encode('ClusterEvent', event), headers);
  }
  for (const told of settled.assignments) {
    const event = labelEvent(state, sequence, settled, told);
    const headers = eventHeaders('LabelEvent', event.id, traceOf(event.itemId));
    yield output(topics.labels, event.inputId, partitionCounts.labels, codec.encode('LabelEvent', event), headers);
  }
}

/** A reset is the first event of its record and collection. */
const resetIndex = 0;

/** What was told of these collections before this record is void. The generation is empty where no definition declares the family any more. */
export function resetOutputs({ codec, partitionCounts, eventHeaders }: Publisher, { epoch, families }: PartitionState, { sequence, resets }: FoldedCause): readonly OutputRecord[] {
  return resets.map(({ family, collection }) => {
    const generation = families.get(family)?.generation ?? '';
    const id = clusterEventId(collectionIdentity(family, collection), epoch, generation, sequence, resetIndex);
    const nothing = { survivor: null, retired: [], minted: [], sizes: [], name: null };
    const event: ClusterEvent = { id, family, collection, epoch, generation, sequence, index: resetIndex, type: 'reset', ...nothing, cause: 'rebuild' };
    const headers = eventHeaders('ClusterEvent', id, noHeaders);
    return output(topics.clusterEvents, collection, partitionCounts.clusterEvents, codec.encode('ClusterEvent', event), headers);
  });
}

function output(topic: string, key: string, partitionCount: number, value: Buffer, headers: Headers): OutputRecord {
  return { topic, partition: partitionForKey(key, partitionCount), key: Buffer.from(key), value, headers };
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
