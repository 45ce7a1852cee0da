/**
 * Gives the features topic another number of partitions (SEMANTICS.md, rule 11). The states are carried over, the log is not: nothing in it is unread.
 *
 *   1. look: no member in the groups of both stages, nothing unread, no record half sent, no position of CLUSTER lost
 *   2. a snapshot of each partition where its group stands, and the plan, noted durably
 *   3. restore those snapshots, look once more, and put the new topic in the place of the old one
 *   4. the first snapshot of each new partition, right below its first record, and the group set there
 *   5. note that they are there; the old snapshots go, then the notes
 *
 * Cut short before 3 it has done nothing, and begins again; after it every step is repeated, to the same bytes. While there is a note, stages refuse to
 * start. A partition of the new topic whose first snapshot is missing does not start either: its log begins above sequence 0 (rule 17).
 */
import { LabelstreamError } from '../../core/errors/error.ts';
import { pipelineError } from '../../core/errors/pipeline.ts';
import { stateError } from '../../core/errors/state.ts';
import { partitionForKey } from '../../core/partitioning.ts';
import { inputTopics, topics } from '../../core/topics.ts';
import { partitionLag } from '../../pipeline/lag.ts';
import { codeOf } from '../../pipeline/retry.ts';
import { requireNeverStarted } from '../../pipeline/start-marker.ts';
import type { StateStore, StoredSnapshot } from '../../pipeline/state-store.ts';
import type { GroupPlace, TopicDescription, Transport } from '../../pipeline/transport.ts';
import { foldToEnd, type FollowerOptions } from './cluster-follower.ts';
import { erasePlan, notePlan, readPlan, repartitionPending, requireOwn, type RepartitionPlan } from './repartition-plan.ts';
import { repartitionedStates, type FormerPartition } from './repartitioned-states.ts';
import { restoreState, snapshotState } from './snapshot.ts';
import { emptyState, itemCountOf } from './state.ts';

export type RepartitionOptions = FollowerOptions & {
  readonly transport: Pick<Transport, 'describeTopic' | 'bounds' | 'decided' | 'read' | 'isKept' | 'committed' | 'resetGroup' | 'topicForm' | 'replaceTopic'>;
  readonly stateStore: StateStore;
  /** Of EXTRACT; `group` is that of CLUSTER. */
  readonly extractGroup: string;
  /** Tells plans apart. */
  readonly newPlanOwner: () => string;
};

export type Unread = { readonly group: string; readonly topic: string; readonly partition: number; readonly records: bigint };

export type FamilyMove = { readonly family: string; readonly items: number; readonly from: number; readonly to: number };

export type Repartition = { readonly from: number; readonly to: number; readonly families: readonly FamilyMove[] };

export type RepartitionOutlook = Repartition & {
  readonly unread: readonly Unread[];
  /** Groups that have members, as far as the transport knows of them. */
  readonly activeGroups: readonly string[];
  /** One was begun and cut short: it is brought to its end first. */
  readonly pending: boolean;
};

/** Changes nothing. Rejects with LS_TRANSPORT_POSITION_LOST, and as `followClusters` does. */
export async function repartitionOutlook(options: RepartitionOptions, partitionCount: number, signal: AbortSignal): Promise<RepartitionOutlook> {
  const { stateStore, group, transport } = options;
  const pending = (await readPlan(stateStore, group, 'planned')) ?? (await readPlan(stateStore, group, 'carried'));
  const described = await (pending === undefined ? transport.describeTopic(topics.features) : unlessMissing(transport.describeTopic(topics.features)));
  if (described === undefined) return { from: pending?.foldedThrough.length ?? 0, to: partitionCount, families: [], unread: [], activeGroups: [], pending: true };
  await requirePositions(options, signal);
  const families: FamilyMove[] = [];
  for (let partition = 0; partition < described.partitionCount; partition++) {
    const { folded } = await foldToEnd(options, { ...described, partition }, signal);
    await folded.close();
    const items = new Map<string, number>();
    for (const { family, itemCount } of folded.view.collections()) items.set(family, (items.get(family) ?? 0) + itemCount);
    for (const [family, count] of items) families.push({ family, items: count, from: partition, to: partitionForKey(family, partitionCount) });
  }
  return { from: described.partitionCount, to: partitionCount, families, unread: await unreadOf(options), activeGroups: await activeGroupsOf(options), pending: pending !== undefined };
}

/**
 * Resolves with what was done, the last being what was asked for; none where the topic has that many partitions already. Rejects with
 * LS_STATE_REPARTITION_UNREAD, LS_TRANSPORT_GROUP_ACTIVE, LS_TRANSPORT_POSITION_LOST, LS_STATE_REPARTITION_LOST, LS_STATE_REPARTITION_PENDING
 * (another operator is at it), and with what transport and state store reject with.
 */
export async function repartition(options: RepartitionOptions, partitionCount: number, signal: AbortSignal): Promise<readonly Repartition[]> {
  const { stateStore, group } = options;
  const finished = await finishPending(options);
  const { partitionCount: standing } = await options.transport.describeTopic(topics.features);
  if (standing === partitionCount) {
    // By that plan nothing has happened.
    await erasePlan(stateStore, group, 'planned');
    return finished;
  }
  await requireNothingUnread(options);
  await requirePositions(options, signal);
  await requireNoMembers(options);
  const plan = await makePlan(options, partitionCount, signal);
  await notePlan(stateStore, group, 'planned', plan);
  return [...finished, await carryOut(options, plan, await lastLook(options, plan, signal))];
}

/** All of it can be read, and restoring takes long, so that it comes first. Where this rejects, the plan is given up. */
async function lastLook(options: RepartitionOptions, plan: RepartitionPlan, signal: AbortSignal): Promise<readonly FormerPartition[]> {
  const { transport, stateStore, group } = options;
  try {
    const former = await formerPartitions(options, plan);
    // Who began meanwhile has not seen the plan; who begins from here on does.
    await requireNothingUnread(options);
    await requireNoMembers(options);
    if ((await transport.describeTopic(topics.features)).incarnation !== plan.formerIncarnation) throw repartitionPending();
    signal.throwIfAborted();
    return former;
  } catch (error) {
    if ((await readPlan(stateStore, group, 'planned'))?.owner === plan.owner) await erasePlan(stateStore, group, 'planned');
    throw error;
  }
}

async function finishPending(options: RepartitionOptions): Promise<readonly Repartition[]> {
  const { stateStore, group, transport } = options;
  const carried = await readPlan(stateStore, group, 'carried');
  if (carried !== undefined) {
    await cleanUp(options, carried);
    return [{ from: carried.foldedThrough.length, to: carried.partitionCount, families: [] }];
  }
  const planned = await readPlan(stateStore, group, 'planned');
  if (planned === undefined) return [];
  const present = await unlessMissing(transport.describeTopic(topics.features));
  // Nothing has happened, and the topic may have grown since. Who wrote it may be alive: the next plan takes its place.
  if (present?.incarnation === planned.formerIncarnation) return [];
  return [await carryOut(options, planned, await formerPartitions(options, planned))];
}

async function unlessMissing(described: Promise<TopicDescription>): Promise<TopicDescription | undefined> {
  try {
    return await described;
  } catch (error) {
    if (error instanceof LabelstreamError && error.code === 'LS_TRANSPORT_TOPIC_MISSING') return undefined;
    throw error;
  }
}

async function requireNothingUnread(options: RepartitionOptions): Promise<void> {
  const unread = await unreadOf(options);
  if (unread.length === 0) return;
  const places = unread.map(({ group, topic, partition, records }) => `partition ${partition} of ${topic} (${group}): ${records}`);
  throw stateError('LS_STATE_REPARTITION_UNREAD', `Records are unread, or sent in part: ${places.join('; ')}.`, { partitions: unread.length });
}

async function unreadOf({ transport, group, extractGroup }: RepartitionOptions): Promise<readonly Unread[]> {
  const unread: Unread[] = [];
  // EXTRACT first: what it still sends, CLUSTER has to read.
  for (const [reader, topic] of [...inputTopics.map((name) => [extractGroup, name] as const), [group, topics.features] as const]) {
    const { partitionCount } = await transport.describeTopic(topic);
    for (let partition = 0; partition < partitionCount; partition++) {
      // Else what EXTRACT has committed a moment ago would go with the topic.
      if (topic === topics.features) await transport.decided({ topic, partition });
      const { records, positionLost } = await partitionLag(transport, reader, { topic, partition });
      const outputsSent = (await transport.committed(reader, { topic, partition }))?.outputsSent ?? 0;
      if (records > 0n || positionLost || outputsSent > 0) unread.push({ group: reader, topic, partition, records });
    }
  }
  return unread;
}

/** A partition without a position is one where CLUSTER never started, or everything that is known of it would go with the topic. */
async function requirePositions({ transport, stateStore, group, stage }: RepartitionOptions, signal: AbortSignal): Promise<void> {
  const { topic, incarnation, partitionCount } = await transport.describeTopic(topics.features);
  const partitions = Array.from({ length: partitionCount }, (_, partition) => ({ topic, incarnation, partition }));
  const committed = await Promise.all(partitions.map((partition) => transport.committed(group, partition)));
  await requireNeverStarted(partitions.filter((_, partition) => committed[partition] === undefined), { stateStore, group, fold: stage.name }, () => signal);
  signal.throwIfAborted();
}

async function activeGroupsOf({ transport, group, extractGroup }: RepartitionOptions): Promise<readonly string[]> {
  const active: string[] = [];
  for (const reader of [extractGroup, group]) {
    await transport.resetGroup(reader, []).catch((error: unknown) => {
      if (codeOf(error) !== 'LS_TRANSPORT_GROUP_ACTIVE') throw error;
      active.push(reader);
    });
  }
  return active;
}

async function requireNoMembers({ transport, group, extractGroup }: RepartitionOptions): Promise<void> {
  for (const reader of [extractGroup, group]) await transport.resetGroup(reader, []);
}

async function makePlan(options: RepartitionOptions, partitionCount: number, signal: AbortSignal): Promise<RepartitionPlan> {
  const { transport, stateStore, stage, group } = options;
  const { topic, incarnation, partitionCount: formerCount } = await transport.describeTopic(topics.features);
  const foldedThrough: bigint[] = [];
  for (let partition = 0; partition < formerCount; partition++) {
    const committed = await transport.committed(group, { topic, partition });
    foldedThrough.push(committed?.sequence ?? -1n);
    // Those are of another history (fold-restore.ts), and the store would keep them rather than the one that is written here.
    if (committed !== undefined) await stateStore.discardAbove({ stage: stage.name, topic, incarnation, partition }, committed.sequence);
    // Also where nothing is said to be folded: a log that begins later was folded by somebody.
    const { folded } = await foldToEnd(options, { topic, partition, incarnation }, signal);
    await folded.close();
    if (committed === undefined || committed.sequence < 0n) continue;
    const { position, sequence } = committed;
    await stateStore.write({ stage: stage.name, topic, incarnation, partition, sequence, position }, folded.snapshot());
  }
  return { owner: options.newPlanOwner(), formerIncarnation: incarnation, foldedThrough, partitionCount, form: await transport.topicForm(topic) };
}

async function carryOut(options: RepartitionOptions, plan: RepartitionPlan, former: readonly FormerPartition[]): Promise<Repartition> {
  const { transport, stateStore, stage, group } = options;
  const { formerIncarnation, partitionCount, form } = plan;
  const families = movesOf(former, partitionCount);
  await requireOwn(stateStore, group, 'planned', plan);
  const { topic, incarnation } = await transport.replaceTopic({ topic: topics.features, formerIncarnation, partitionCount, form });
  const places = await Promise.all(
    Array.from({ length: partitionCount }, async (_, partition) => {
      const { start } = await transport.bounds({ topic, partition });
      return { partition: { topic, partition, incarnation }, sequence: start.sequence - 1n, position: start.position };
    }),
  );
  for (const [partition, state] of repartitionedStates(former, places).entries()) {
    const { sequence, position } = places[partition] ?? { sequence: 0n, position: '' };
    await stateStore.write({ stage: stage.name, topic, incarnation, partition, sequence, position }, snapshotState(state));
  }
  const checkpoints = places.map(({ partition: { partition }, sequence, position }) => ({ topic, partition, checkpoint: { position, sequence, outputsSent: 0 } }));
  await requireOwn(stateStore, group, 'planned', plan);
  await transport.resetGroup(group, checkpoints);
  await requireSet(options, checkpoints);
  await requireOwn(stateStore, group, 'planned', plan);
  await notePlan(stateStore, group, 'carried', plan);
  await cleanUp(options, plan);
  return { from: former.length, to: partitionCount, families };
}

/** Brokers remove the positions of a topic that was deleted when they come to it, and could have removed these. */
async function requireSet({ transport, group }: RepartitionOptions, places: readonly GroupPlace[]): Promise<void> {
  for (const { topic, partition, checkpoint } of places) {
    if ((await transport.committed(group, { topic, partition }))?.position === checkpoint.position) continue;
    throw pipelineError('LS_TRANSPORT_POSITION_LOST', `The position of group ${group} in partition ${partition} of ${topic} was set, and is gone again. Repeat \`labelstream topics repartition\`.`, { group, topic, partition });
  }
}

async function formerPartitions({ stateStore, stage }: RepartitionOptions, { formerIncarnation: incarnation, foldedThrough }: RepartitionPlan): Promise<readonly FormerPartition[]> {
  const former: FormerPartition[] = [];
  for (const [partition, sequence] of foldedThrough.entries()) {
    const location = { topic: topics.features, partition, incarnation };
    const state = emptyState(location);
    const read = async ({ header, chunks }: StoredSnapshot): Promise<bigint> => {
      if (header.sequence === sequence) await restoreState(state, chunks);
      return header.sequence;
    };
    if (sequence >= 0n && (await stateStore.readNewest({ stage: stage.name, ...location }, sequence, read)) !== sequence) {
      const message = `The snapshot of the former partition ${partition} of ${topics.features} at ${sequence} is gone or damaged.`;
      throw stateError('LS_STATE_REPARTITION_LOST', message, { partition, sequence });
    }
    former.push({ state, sequence });
  }
  return former;
}

function movesOf(former: readonly FormerPartition[], partitionCount: number): readonly FamilyMove[] {
  return former.flatMap(({ state }, from) =>
    [...state.families.values()].map((family) => ({ family: family.name, items: itemCountOf(family), from, to: partitionForKey(family.name, partitionCount) })),
  );
}

/** The old snapshots hold vectors, and nobody looks for them once they are in no incarnation that there is. */
async function cleanUp({ stateStore, stage, group }: RepartitionOptions, plan: RepartitionPlan): Promise<void> {
  await erasePlan(stateStore, group, 'planned');
  for (const partition of plan.foldedThrough.keys()) {
    await stateStore.discardAbove({ stage: stage.name, topic: topics.features, incarnation: plan.formerIncarnation, partition }, -1n);
  }
  await erasePlan(stateStore, group, 'carried');
}
