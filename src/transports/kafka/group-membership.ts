/**
 * One member of a consumer group: joins, heartbeats, gives everything up when the group is rebalanced, joins again, and leaves. kafkajs' own loop
 * (its Runner) is not used because there the fetching and the handling of records delay heartbeats, giving up is not awaited, and an offset may be
 * committed for a generation that it does not belong to. Of kafkajs are the requests and `ConsumerGroup`, which joins and synchronises.
 *
 * What is handed out belongs to one generation of the group (group-generation.ts). It ends when a heartbeat says that the group is rebalanced: then
 * the listener lets go while heartbeats go on, and only then is the group joined again, so that no other member has a partition before. Or it ends
 * because this member was given up: no heartbeat was answered within the session time-out, or the coordinator does not know it any more. Then its
 * partitions may be at work elsewhere already, so they are closed before anything else.
 *
 * Failures that pass are waited for without bound, and told to the observer; any other ends the membership.
 */
import type { Cluster, GroupDescriptions, Logger } from 'kafkajs';
// Not exported by kafkajs. Its public consumer cannot be had without the Runner.
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import { counted } from '../../core/counted.ts';
import type { OutputRecord, TopicPartition } from '../../core/records.ts';
import { unlessAborted } from '../../pipeline/abort.ts';
import { backOffMs, codeOf, isRetryable } from '../../pipeline/retry.ts';
import type { Checkpoint, PartitionBounds, SubscribeOptions, Subscription, TopicDescription } from '../../pipeline/transport.ts';
import { asCoordinator, createGeneration, type Generation, type GenerationEnd } from './group-generation.ts';
import { asKafkaError, isWithoutAnswer } from './kafka-errors.ts';
import type { KafkaOptions } from './kafka-options.ts';
import { ownPartition, type OwnedPartition, type PartitionLocation } from './owned-partition.ts';
import type { Fetcher } from './partition-reader.ts';
import type { Producers } from './producers/producer-port.ts';
import { shareProducer, type SharedProducer } from './shared-producer.ts';
import { createStickyAssigner, type Ownership } from './sticky-assigner.ts';

/** What a membership shares with the rest of the transport. */
export type GroupContext = {
  /** A cluster of its own, not connected, closed by the membership: a JoinGroup holds its connection up for the whole rebalance. */
  readonly openCluster: () => Cluster;
  readonly logger: Logger;
  readonly options: KafkaOptions;
  readonly fetcher: Pick<Fetcher, 'open'>;
  readonly producers: Producers;
  readonly bounds: (location: PartitionLocation) => Promise<PartitionBounds>;
  /** The group's checkpoint as the broker has it. */
  readonly readCommitted: (group: string, topicPartition: TopicPartition) => Promise<Checkpoint | undefined>;
  /** Asked of the broker, not of a memory. */
  readonly describeTopic: (topic: string) => Promise<TopicDescription>;
  /** Rejects, before anything is sent, what the broker does not take: a missing topic or partition, a record that is too large. */
  readonly checkRecords: (records: readonly OutputRecord[]) => Promise<void>;
  /** How often the member that leads the group looks for added partitions. */
  readonly metadataIntervalMs?: number;
};

export type GroupMembership = Subscription & {
  /**
   * Resolves when `assigned` was called for the first time and is over, when there was no partition for this member, or when the membership ended
   * before. Never rejects: what ends a membership is told to the listener.
   */
  readonly joined: Promise<unknown>;
};

const defaultMetadataIntervalMs = 30_000;
const patience = { baseMs: 50, capMs: 5_000 };
/** For each step of leaving: who stops has other things to do, and the session ends by itself. */
const leavingMsMax = 2_500;

/**
 * Never throws, and is at work when it returns. `close` gives up what is assigned (`revoked` is awaited), leaves the group, and never rejects;
 * calling it again waits for the same.
 */
export function joinGroup(context: GroupContext, options: SubscribeOptions): GroupMembership {
  const joined = Promise.withResolvers<undefined>();
  const closing = new AbortController();
  const membership = createMembership(context, options, closing.signal, () => joined.resolve(undefined));
  const ended = work(membership)
    .catch((error: unknown) => options.listener.failed(asGroupError(error, options.group)))
    .finally(() => leave(membership))
    .finally(() => joined.resolve(undefined));
  return {
    joined: joined.promise,
    close: () => {
      closing.abort();
      return ended;
    },
  };
}

type Membership = {
  readonly context: GroupContext;
  readonly options: SubscribeOptions;
  readonly closing: AbortSignal;
  readonly joined: () => void;
  readonly cluster: Cluster;
  readonly group: ConsumerGroup;
  readonly producer: SharedProducer;
  /** What the next join tells. */
  ownership: Ownership;
  /** The last attempt to join. */
  joining: Promise<void>;
  /** By topic, as this member assigned them; undefined where another one leads the group. */
  partitionCounts: ReadonlyMap<string, number> | undefined;
};

function createMembership(context: GroupContext, options: SubscribeOptions, closing: AbortSignal, joined: () => void): Membership {
  const cluster = context.openCluster();
  const { sessionTimeoutMs, rebalanceTimeoutMs } = context.options;
  const group = new ConsumerGroup({
    cluster,
    groupId: options.group,
    topics: [...new Set(options.topics)],
    topicConfigurations: {},
    logger: context.logger,
    instrumentationEmitter: { emit: () => undefined },
    assigners: [
      createStickyAssigner({
        cluster,
        ownership: () => membership.ownership,
        assigned: (partitionCounts) => (membership.partitionCounts = partitionCounts),
      }),
    ],
    // Tried again here, where closing ends it.
    retry: { retries: 0 },
    sessionTimeout: sessionTimeoutMs,
    rebalanceTimeout: rebalanceTimeoutMs,
  });
  const membership: Membership = {
    context, options, closing, joined, cluster, group,
    producer: shareProducer(context.producers),
    ownership: { had: [], generation: -1 },
    joining: Promise.resolve(),
    partitionCounts: undefined,
  };
  return membership;
}

/** Until closed; rejects with what ended it. */
async function work(membership: Membership): Promise<void> {
  const { context, options, closing } = membership;
  const { clock, observer } = context.options;
  while (!closing.aborted) {
    const startedMs = clock.elapsedMs();
    const generation = await join(membership);
    if (generation === undefined) return;
    const handout = handOut(membership, generation);
    void watchTopics(membership, generation);
    void handout.done.then(() => observer.rebalanced(options.group, options.topics, clock.elapsedMs() - startedMs));
    void handout.done.then(() => tellHosts(membership)).catch((error: unknown) => observer.message('debug', `The hosts of group ${options.group} are not known.`, { error: toError(error).message }));
    const end = await Promise.race([generation.ended, handout.failed]);
    await takeBack(membership, generation, handout, end);
    if (end.kind === 'failed' || end.kind === 'refused') throw end.error;
    if (end.kind === 'closed') return;
  }
}

/** As the brokers see them: behind a translation of addresses several are one. */
async function tellHosts({ context, options, cluster }: Membership): Promise<void> {
  const tell = context.options.observer.groupHosts?.(options.group);
  if (tell === undefined) return;
  const coordinator = await cluster.findGroupCoordinator({ groupId: options.group });
  const { groups } = (await coordinator.describeGroups({ groupIds: [options.group] })) as GroupDescriptions;
  tell([...new Set(groups.flatMap(({ members }) => members.map(({ clientHost }) => clientHost)))]);
}

/** Waits for the coordinator without bound; undefined when closed meanwhile. */
async function join(membership: Membership): Promise<Generation | undefined> {
  const { context, options, closing, cluster, group } = membership;
  const { clock, random, observer } = context.options;
  for (let attempt = 1; !isAborted(closing); attempt += 1) {
    try {
      membership.joining = joinOnce(membership, attempt);
      await unlessAborted(membership.joining, closing);
      if (isAborted(closing)) {
        await endJoining(membership);
        return undefined;
      }
      const generation = await createGeneration({ group, cluster, groupId: options.group, options: context.options, closing });
      observer.groupAnswered(options.group);
      return generation;
    } catch (thrown) {
      const error = asGroupError(thrown, options.group);
      if (!isPassing(error, attempt)) {
        observer.groupAnswered(options.group);
        throw error;
      }
      // Whatever was answered, a rebalance for one, is the everyday life of a group.
      if (!isAborted(closing) && isWithoutAnswer(error)) observer.groupFailed(options.group, error);
      observer.message('warn', `Group ${options.group} could not be joined yet: ${error.message}`, { attempt, code: codeOf(error) });
      await clock.sleep(backOffMs(patience, attempt, random), closing);
    }
  }
  return undefined;
}

async function joinOnce(membership: Membership, attempt: number): Promise<void> {
  const { cluster, group, options } = membership;
  membership.partitionCounts = undefined;
  await cluster.connect();
  await cluster.addMultipleTargetTopics([...options.topics]);
  // The brokers may not be where they were.
  if (attempt > 1) await cluster.refreshMetadata();
  await group.joinAndSync();
}

/** Not every broker knows of a topic that was just made. */
const missingTopicAttemptsMax = 6;

/** A membership that was lost is found again by joining anew. */
function isPassing(error: Error, attempt: number): boolean {
  const code = codeOf(error);
  if (code === 'LS_TRANSPORT_TOPIC_MISSING') return attempt < missingTopicAttemptsMax;
  return isRetryable(error) || code === 'LS_TRANSPORT_REVOKED';
}

/**
 * The group may wait for others to let go, and what is asked behind a JoinGroup is answered behind it. A member with an id leaves by another
 * connection, which ends the wait; one that has none yet leaves when it is let in, or is missed until its session ends.
 */
async function endJoining({ context, options, group, joining }: Membership): Promise<void> {
  const { memberId } = group;
  if (memberId === null || memberId === '') return;
  const cluster = context.openCluster();
  const over = new AbortController();
  const patienceOver = context.options.clock.sleep(leavingMsMax, over.signal);
  await Promise.race([leaveBy(cluster, options.group, memberId), joining, patienceOver]).catch(() => undefined);
  over.abort();
  void cluster.disconnect().catch(() => undefined);
}

async function leaveBy(cluster: Cluster, groupId: string, memberId: string): Promise<void> {
  await cluster.connect();
  const coordinator = asCoordinator(await cluster.findGroupCoordinator({ groupId }));
  await coordinator.leaveGroup({ groupId, memberId });
}

type Handout = {
  readonly partitions: readonly TopicPartition[];
  /** Never rejects; over when the listener is. */
  readonly done: Promise<void>;
  /** Resolves, if it ever does, with what the listener or the topics' descriptions rejected with. */
  readonly failed: Promise<{ readonly kind: 'failed'; readonly error: Error }>;
  readonly owned: readonly OwnedPartition[];
  /** Whether the listener was told of the partitions. */
  readonly told: () => boolean;
  readonly abandon: () => void;
};

/** Beside the heartbeats: the listener may take its time. */
function handOut(membership: Membership, generation: Generation): Handout {
  const { context, options, group } = membership;
  const partitions = group.assigned().flatMap(({ topic, partitions: ids }) => ids.map((partition): TopicPartition => ({ topic, partition })));
  membership.ownership = { had: partitions, generation: generation.id };
  const failed = Promise.withResolvers<{ readonly kind: 'failed'; readonly error: Error }>();
  const abandoned = new AbortController();
  const owned: OwnedPartition[] = [];
  let told = false;

  const tell = async (): Promise<void> => {
    const incarnations = await describe(context, partitions, abandoned.signal);
    if (abandoned.signal.aborted) return;
    for (const location of partitions) {
      const { fetcher, producers, bounds, readCommitted, checkRecords } = context;
      owned.push(
        ownPartition({
          location: { ...location, incarnation: incarnations.get(location.topic) ?? '' },
          delivery: options.delivery,
          owner: generation.owner,
          fetcher, producers, bounds, readCommitted, checkRecords,
          clock: context.options.clock,
          send: membership.producer.send,
        }),
      );
    }
    told = true;
    // Of which generation makes the text one of its own: it is no repetition, however soon it comes after another.
    const byTopic = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([topic, ofTopic]) => [topic, ofTopic.map(({ partition }) => partition)] as const);
    context.options.observer.message('info', `Generation ${generation.id} of group ${options.group}: this member has ${counted(partitions.length, 'partition')}.`, { partitions: Object.fromEntries(byTopic) });
    await options.listener.assigned(owned.map(({ assigned }) => assigned));
  };
  const done = tell()
    .catch((error: unknown) => failed.resolve({ kind: 'failed', error: toError(error) }))
    .finally(() => {
      if (!abandoned.signal.aborted) membership.joined();
    });
  return { partitions, done, failed: failed.promise, owned, told: () => told, abandon: () => abandoned.abort() };
}

async function describe({ describeTopic, options }: GroupContext, partitions: readonly TopicPartition[], signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const incarnations = new Map<string, string>();
  for (const topic of new Set(partitions.map((partition) => partition.topic))) {
    for (let attempt = 1; !signal.aborted && !incarnations.has(topic); attempt += 1) {
      try {
        const description = await unlessAborted(describeTopic(topic), signal);
        if (description !== undefined) incarnations.set(topic, description.incarnation);
      } catch (error) {
        if (!isRetryable(error)) throw error;
        options.observer.message('warn', `Topic ${topic} could not be described yet: ${toError(error).message}`, { attempt });
        await options.clock.sleep(backOffMs(patience, attempt, options.random), signal);
      }
    }
  }
  return incarnations;
}

/** The listener lets go, then the partitions are closed, then the group may go on. Rejects with what the listener rejected with. */
async function takeBack(
  { context, options }: Membership,
  generation: Generation,
  handout: Handout,
  end: { readonly kind: GenerationEnd['kind'] | 'failed' },
): Promise<void> {
  const { clock, rebalanceTimeoutMs } = context.options;
  const revoke = (): void => {
    for (const partition of handout.owned) partition.revoke();
  };
  handout.abandon();
  if (end.kind === 'lost') revoke();
  // Also while the listener lets go the group may go on without this member.
  void generation.lost.then(revoke);
  const over = new AbortController();
  // Who takes longer than the others wait for will find that the partitions are gone.
  void clock.sleep((rebalanceTimeoutMs * 3) / 4, over.signal).then(revoke);
  try {
    // A listener that failed has nothing more to say about its partitions.
    if (end.kind !== 'failed' && handout.told()) await options.listener.revoked(handout.partitions);
  } finally {
    over.abort();
    revoke();
    await Promise.all([...handout.owned.map((partition) => partition.settled()), end.kind === 'failed' ? undefined : handout.done]);
    generation.close();
  }
}

/** Only the member that made the assignment knows of how many partitions it was; when it joins again the whole group does. */
async function watchTopics({ context, cluster, partitionCounts, options }: Membership, generation: Generation): Promise<void> {
  if (partitionCounts === undefined) return;
  const { clock, observer } = context.options;
  for (;;) {
    await clock.sleep(context.metadataIntervalMs ?? defaultMetadataIntervalMs, generation.closed);
    if (generation.closed.aborted) return;
    try {
      await cluster.refreshMetadata();
      const changed = [...partitionCounts].some(([topic, count]) => cluster.findTopicPartitionMetadata(topic).length !== count);
      if (changed) generation.end({ kind: 'rebalance' });
    } catch (error) {
      observer.message('warn', `The partitions of the topics of group ${options.group} could not be counted.`, { error: toError(error).message });
    }
  }
}

async function leave({ group, cluster, producer, joining, context, options }: Membership): Promise<void> {
  const { clock, observer } = context.options;
  const over = new AbortController();
  const joined = joining.catch(() => undefined);
  const left = joined.then(() => group.leave()).catch((error: unknown) => {
    observer.message('warn', `Group ${options.group} could not be left: this member's session will end by itself.`, { error: toError(error).message });
  });
  // kafkajs waits for all answers before it disconnects.
  const disconnected = left.then(() => cluster.disconnect()).catch(() => undefined);
  await Promise.race([Promise.all([disconnected, producer.close()]), clock.sleep(leavingMsMax, over.signal)]);
  over.abort();
}

function asGroupError(error: unknown, group: string): Error {
  return asKafkaError(error, { operation: 'be a member of', group });
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
