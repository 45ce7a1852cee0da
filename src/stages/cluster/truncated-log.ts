/**
 * The way on where a features log has lost its beginning and no snapshot bridges the gap (SEMANTICS.md, rule 17): the partition begins anew with
 * the first record kept, from a first snapshot right below it. First a look that changes nothing, then the change.
 *
 * The epoch is above all that is known of the partition: that of its snapshots, and those in `labels` and `cluster-events`. Retention and
 * accidents may have left nothing of either, while a consumer still knows it: so it also rises with the sequence that the log begins at.
 *
 * Interrupted anywhere, the change leaves a partition that still refuses to start, and can be made again: the group is set first, because a
 * snapshot below what is committed would be restored in silence, as if what follows it had been told. Once the snapshot is there, it is done.
 */
import type { LabelstreamError } from '../../core/errors/error.ts';
import type { Define } from '../../core/events.generated.ts';
import { partitionForKey } from '../../core/partitioning.ts';
import { topics } from '../../core/topics.ts';
import type { SnapshotKey, StateStore } from '../../pipeline/state-store.ts';
import type { Bound, Transport } from '../../pipeline/transport.ts';
import { clusterStageName } from './stage-name.ts';
import { rebuiltState, type Beginning } from './rebuilt-state.ts';
import { restoreState, snapshotState } from './snapshot.ts';
import { emptyState, type CollectionName, type PartitionState } from './state.ts';
import { readModelsUsed, readTold, type ToldFamily, type TopicReader } from './told-before.ts';

export type TruncatedLogOptions = TopicReader & {
  readonly transport: Pick<Transport, 'describeTopic' | 'bounds' | 'read' | 'committed' | 'resetGroup'>;
  readonly stateStore: StateStore;
  /** Of the stage. */
  readonly group: string;
  /** Collections that a configuration names. */
  readonly collections: readonly CollectionName[];
};

export type TruncatedPartition = Beginning & {
  readonly key: SnapshotKey;
  readonly start: Bound;
  /** The last sequence that the group handled; undefined where it never stood anywhere. */
  readonly committed: bigint | undefined;
  /** Of the newest snapshot that can be read, which is too old. */
  readonly snapshotSequence: bigint | undefined;
  readonly recordsKept: bigint;
};

const anySequence = 2n ** 63n - 1n;

/** Those that LS_STATE_LOG_TRUNCATED stops, and no others. Changes nothing; throws the signal's reason. */
export async function findTruncated(options: TruncatedLogOptions, signal: AbortSignal): Promise<readonly TruncatedPartition[]> {
  const { transport, stateStore, group } = options;
  const { topic, incarnation, partitionCount } = await transport.describeTopic(topics.features);
  const found: TruncatedPartition[] = [];
  let told: ReadonlyMap<string, ToldFamily> | undefined;
  for (let partition = 0; partition < partitionCount; partition++) {
    const location = { topic, partition, incarnation };
    const key = { stage: clusterStageName, ...location };
    const { start, end } = await transport.bounds(location);
    const committed = (await transport.committed(group, location))?.sequence;
    const isTooOld = (sequence: bigint): boolean => start.sequence > sequence + 1n;
    const snapshot = await newestState(stateStore, key, committed ?? start.sequence - 1n, isTooOld);
    signal.throwIfAborted();
    if (!isTooOld(snapshot?.sequence ?? -1n)) continue;
    told ??= await readTold(options, signal);
    const isHere = (family: string): boolean => partitionForKey(family, partitionCount) === partition;
    const toldHere = new Map([...told].filter(([family]) => isHere(family)));
    const former = snapshot?.state;
    const newest = (await newestState(stateStore, key, anySequence, () => true))?.state;
    const epochs = [...toldHere.values(), ...(former ? [former] : []), ...(newest ? [newest] : [])].map(({ epoch }) => epoch);
    found.push({
      partition: location,
      key,
      start,
      committed,
      snapshotSequence: snapshot?.sequence,
      recordsKept: end.sequence - start.sequence,
      epoch: Math.max(epochOfStart(start.sequence), ...epochs.map((epoch) => epoch + 1)),
      former,
      resets: resetsOf(toldHere, former, options.collections.filter(({ family }) => isHere(family))),
      modelsUsed: await readModelsUsed(options, partition, signal),
    });
  }
  return found;
}

/** Up to here the epoch tells the sequence apart from any other, from here on in steps. The epoch of an event is an Avro int. */
const exactStarts = 2n ** 30n;
const startsPerEpoch = 2n ** 20n;
const epochMax = 2 ** 31 - 1;

/** Rises with the start, and is above the first epoch: a start is above 0. */
export function epochOfStart(startSequence: bigint): number {
  if (startSequence < exactStarts) return Number(startSequence) + 1;
  return Math.min(Number(exactStarts + (startSequence - exactStarts) / startsPerEpoch) + 1, epochMax);
}

/** @param isWanted whether the state in it is, by its sequence. */
function newestState(
  stateStore: Pick<StateStore, 'readNewest'>,
  key: SnapshotKey,
  sequence: bigint,
  isWanted: (sequence: bigint) => boolean,
): Promise<{ readonly sequence: bigint; readonly state: PartitionState | undefined } | undefined> {
  return stateStore.readNewest(key, sequence, async ({ header, chunks }) => {
    if (!isWanted(header.sequence)) return { sequence: header.sequence, state: undefined };
    const state = emptyState(key);
    await restoreState(state, chunks);
    return { sequence: header.sequence, state };
  });
}

function resetsOf(told: ReadonlyMap<string, ToldFamily>, former: PartitionState | undefined, configured: readonly CollectionName[]): readonly CollectionName[] {
  const names = [
    ...[...told].flatMap(([family, { collections }]) => [...collections].map((collection) => ({ family, collection }))),
    ...[...(former?.families ?? [])].flatMap(([family, { collections }]) => [...collections.keys()].map((collection) => ({ family, collection }))),
    ...(former?.pendingResets ?? []),
    ...configured,
  ];
  return [...new Map(names.map((name) => [JSON.stringify([name.family, name.collection]), name])).values()];
}

/**
 * Begins anew where `findTruncated` says so, unless a definition is refused: then nothing is changed anywhere.
 * Rejects with LS_TRANSPORT_GROUP_ACTIVE, LS_STATE_DISCARD_FAILED, LS_STATE_WRITE_FAILED.
 * @param definitions those that the configuration proposes, by family.
 * @returns what is refused.
 */
export async function beginAnew(
  { transport, stateStore, group }: Pick<TruncatedLogOptions, 'transport' | 'stateStore' | 'group'>,
  truncated: readonly TruncatedPartition[],
  definitions: ReadonlyMap<string, Define>,
): Promise<readonly LabelstreamError[]> {
  const { partitionCount } = await transport.describeTopic(topics.features);
  const rebuilt = truncated.map((lost) => {
    const here = [...definitions].filter(([family]) => partitionForKey(family, partitionCount) === lost.partition.partition);
    return { ...lost, ...rebuiltState(lost, new Map(here)) };
  });
  const refused = rebuilt.flatMap((each) => each.refused);
  if (refused.length > 0) return refused;
  for (const { key, start, state } of rebuilt) {
    const { topic, partition } = key;
    const checkpoint = { position: start.position, sequence: start.sequence - 1n, outputsSent: 0 };
    const { position, sequence } = checkpoint;
    // What would be taken for the state there: snapshots that cannot be read, or that another history left.
    await requireNoMembers(transport, group, key);
    await stateStore.discardAbove(key, sequence - 1n);
    await transport.resetGroup(group, [{ topic, partition, checkpoint }]);
    await stateStore.write({ ...key, sequence, position }, snapshotState(state));
  }
  return [];
}

/** By setting the group to where it is: the snapshots of a living owner are not to be touched. */
async function requireNoMembers(transport: Pick<Transport, 'committed' | 'resetGroup'>, group: string, { topic, partition }: SnapshotKey): Promise<void> {
  const checkpoint = await transport.committed(group, { topic, partition });
  if (checkpoint !== undefined) await transport.resetGroup(group, [{ topic, partition, checkpoint }]);
}
