/** One process that talks to the broker in memory: its transport, and what may be done to it from outside. */
import type { Clock } from '../../src/core/clock.ts';
import { pipelineError } from '../../src/core/errors/pipeline.ts';
import { recordBytes, type ConsumedRecord, type OutputRecord, type TopicPartition } from '../../src/core/records.ts';
import type {
  AssignedPartition,
  Bound,
  Checkpoint,
  Delivery,
  Landmark,
  PartitionBounds,
  ReadBudget,
  SubscribeOptions,
  Transport,
} from '../../src/pipeline/transport.ts';
import { brokerAway, noFaults, type Faults } from './memory-faults.ts';

/** The broker as its clients reach it. */
export type BrokerAccess = {
  readonly clock: Clock;
  readonly transactions: boolean;
  readonly append: (records: readonly OutputRecord[]) => void;
  readonly bounds: (topicPartition: TopicPartition) => PartitionBounds;
  readonly boundAt: (topicPartition: TopicPartition, landmark: Landmark) => Bound;
  readonly isKept: (topicPartition: TopicPartition, position: string) => boolean;
  readonly incarnation: (topicPartition: TopicPartition) => string;
  readonly partitions: (topic: string) => readonly TopicPartition[];
  readonly readWaiting: (
    topicPartition: TopicPartition,
    position: string | undefined,
    budget: ReadBudget,
    signal: AbortSignal,
  ) => Promise<readonly ConsumedRecord[]>;
  readonly checkpoint: (group: string, topicPartition: TopicPartition) => Checkpoint | undefined;
  readonly commit: (group: string, topicPartition: TopicPartition, outputs: readonly OutputRecord[], checkpoint: Checkpoint) => void;
};

export type MemoryClient = {
  readonly transport: Transport;
  /** What is in flight never gets an answer, and has no effect. */
  readonly crash: () => void;
  readonly crashed: Promise<void>;
  readonly isCrashed: () => boolean;
  /** Takes partitions away, asking first. */
  readonly revoke: (topicPartitions: readonly TopicPartition[]) => Promise<void>;
  /** Takes partitions away without a word, as after a session timeout. */
  readonly fence: (topicPartitions: readonly TopicPartition[]) => void;
  readonly assign: (topicPartitions: readonly TopicPartition[]) => Promise<void>;
  readonly owned: () => readonly TopicPartition[];
  readonly failSubscription: (error: Error) => void;
  /** Handed out to the present owner and not committed. */
  readonly held: (topicPartition: TopicPartition) => ReadBudget;
};

/** The process that the calls of a client come from. */
type Process = {
  readonly faults: Faults;
  readonly crash: () => void;
  readonly isDead: () => boolean;
  /** Takes its time; a dead process goes no further. */
  readonly delay: () => Promise<void>;
};

type Owned = {
  readonly handle: AssignedPartition;
  readonly revoke: () => void;
  /** Resolves when no delivery is in flight. */
  readonly settled: () => Promise<unknown>;
  readonly handed: () => readonly ConsumedRecord[];
};

const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;
const requestTimeoutMs = 30_000;
const never = (): Promise<never> => new Promise(() => undefined);

/** @param options.partitions what a subscription gets at once; left out: every partition of its topics. */
export function connectToBroker(
  broker: BrokerAccess,
  options: { readonly faults?: Faults; readonly assigned?: readonly TopicPartition[] } = {},
): MemoryClient {
  const faults = options.faults ?? noFaults;
  const died = Promise.withResolvers<undefined>();
  const owned = new Map<string, Owned>();
  let dead = false;
  let subscribed: SubscribeOptions | undefined;
  const process: Process = {
    faults,
    isDead: () => dead,
    crash: () => {
      dead = true;
      for (const { revoke } of owned.values()) revoke();
      owned.clear();
      died.resolve(undefined);
    },
    delay: async () => {
      await broker.clock.sleep(faults.delayMs());
      if (dead) await never();
    },
  };
  const fence = (topicPartitions: readonly TopicPartition[]): void => {
    for (const topicPartition of topicPartitions) {
      owned.get(keyOf(topicPartition))?.revoke();
      owned.delete(keyOf(topicPartition));
    }
  };
  const assign = async (topicPartitions: readonly TopicPartition[]): Promise<void> => {
    if (subscribed === undefined || dead) return;
    const { group, delivery, listener } = subscribed;
    for (const topicPartition of topicPartitions) owned.set(keyOf(topicPartition), own(broker, process, topicPartition, group, delivery));
    const handles = topicPartitions.flatMap((topicPartition) => owned.get(keyOf(topicPartition))?.handle ?? []);
    await Promise.race([listener.assigned(handles), died.promise]);
  };
  const revoke = async (topicPartitions: readonly TopicPartition[]): Promise<void> => {
    const mine = topicPartitions.filter((topicPartition) => owned.has(keyOf(topicPartition)));
    if (subscribed === undefined || mine.length === 0) return;
    await Promise.race([subscribed.listener.revoked(mine), died.promise]);
    const given = mine.flatMap((topicPartition) => owned.get(keyOf(topicPartition)) ?? []);
    fence(mine);
    await Promise.race([Promise.all(given.map((each) => each.settled())), died.promise]);
  };
  const ownedNow = (): TopicPartition[] => [...owned.values()].map(({ handle: { topic, partition } }) => ({ topic, partition }));
  const subscribe: Transport['subscribe'] = async (request) => {
    subscribed = request;
    await assign(options.assigned ?? request.topics.flatMap((topic) => broker.partitions(topic)));
    return { close: () => revoke(ownedNow()) };
  };
  return {
    transport: transportOf(broker, process, subscribe),
    crash: process.crash,
    crashed: died.promise,
    isCrashed: process.isDead,
    revoke,
    fence,
    assign,
    owned: ownedNow,
    failSubscription: (error) => subscribed?.listener.failed(error),
    held: (topicPartition) => {
      const handed = owned.get(keyOf(topicPartition))?.handed() ?? [];
      return { records: handed.length, bytes: handed.reduce((bytes, record) => bytes + recordBytes(record), 0) };
    },
  };
}

function transportOf(broker: BrokerAccess, { faults, delay }: Process, subscribe: Transport['subscribe']): Transport {
  return {
    capabilities: { transactions: broker.transactions, fencing: true },
    checkTopics: () => Promise.resolve([]),
    createTopics: () => Promise.resolve(),
    describeTopic: async (topic) => {
      await delay();
      return { topic, incarnation: broker.incarnation({ topic, partition: 0 }), partitionCount: broker.partitions(topic).length };
    },
    topicForm: () => Promise.reject(new Error('No stage asks for it.')),
    topicRetention: () => Promise.resolve(undefined),
    replaceTopic: () => Promise.reject(new Error('No stage replaces a topic.')),
    bounds: async (topicPartition) => {
      await delay();
      return broker.bounds(topicPartition);
    },
    decided: () => Promise.resolve(),
    boundAt: async (topicPartition, landmark) => {
      await delay();
      return broker.boundAt(topicPartition, landmark);
    },
    read: (topicPartition, from, budget, signal) => broker.readWaiting(topicPartition, from, budget, signal),
    isKept: async (topicPartition, position) => {
      await delay();
      return broker.isKept(topicPartition, position);
    },
    append: async (records) => {
      await delay();
      const fault = faults.append();
      if (fault === 'rejected-before') throw brokerAway();
      broker.append(records);
      if (fault === 'rejected-after') throw brokerAway();
    },
    claim: () => Promise.reject(new Error('no stage claims a topic')),
    committed: async (group, topicPartition) => {
      await delay();
      return broker.checkpoint(group, topicPartition);
    },
    resetGroup: async (group, places) => {
      await delay();
      for (const { topic, partition, checkpoint } of places) broker.commit(group, { topic, partition }, [], checkpoint);
    },
    subscribe,
    close: () => Promise.resolve(),
  };
}

function own(broker: BrokerAccess, process: Process, topicPartition: TopicPartition, group: string, delivery: Delivery): Owned {
  const { faults, delay } = process;
  const ended = new AbortController();
  let handed: ConsumedRecord[] = [];
  let position: string | undefined;
  let undecided: (() => void) | undefined;
  let polling = false;
  let delivering: Promise<unknown> | undefined;
  const requireOwned = (): void => {
    if (ended.signal.aborted) throw pipelineError('LS_TRANSPORT_REVOKED', `${keyOf(topicPartition)} was revoked`);
  };
  const apply = (outputs: readonly OutputRecord[], checkpoint: Checkpoint): void => {
    broker.append(outputs);
    broker.commit(group, topicPartition, outputs, checkpoint);
    handed = handed.filter((record) => record.sequence > checkpoint.sequence);
  };
  const appendPart = (outputs: readonly OutputRecord[]): void => {
    if (delivery === 'at-least-once') broker.append(outputs.slice(0, Math.ceil(outputs.length / 2)));
  };
  const deliver = async (outputs: readonly OutputRecord[], checkpoint: Checkpoint): Promise<void> => {
    await delay();
    requireOwned();
    const fault = faults.deliver(topicPartition, outputs, checkpoint);
    if (fault === 'none' || fault === 'rejected-after' || fault === 'crash-after') apply(outputs, checkpoint);
    if (fault === 'rejected-between' || fault === 'crash-between') appendPart(outputs);
    if (fault === 'undecided') undecided = () => apply(outputs, checkpoint);
    if (fault.startsWith('crash')) process.crash();
    await delay();
    if (fault === 'hangs') await broker.clock.sleep(requestTimeoutMs, ended.signal);
    if (fault !== 'none') throw brokerAway();
  };
  const poll = async (budget: ReadBudget, signal: AbortSignal): Promise<readonly ConsumedRecord[]> => {
    await delay();
    requireOwned();
    const fault = faults.poll(topicPartition);
    if (fault === 'rejected') throw brokerAway();
    if (position === undefined) throw new RangeError('the driver would have to choose a position');
    const records = await broker.readWaiting(topicPartition, position, budget, AbortSignal.any([signal, ended.signal]));
    requireOwned();
    position = records.at(-1)?.nextPosition ?? position;
    if (fault === 'rejected-with-records-lost') throw brokerAway();
    handed.push(...records);
    return records;
  };
  const handle: AssignedPartition = {
    ...topicPartition,
    incarnation: broker.incarnation(topicPartition),
    committed: async () => {
      await delay();
      requireOwned();
      if (faults.committed(topicPartition) === 'rejected') throw brokerAway();
      const late = undecided;
      undecided = undefined;
      if (late !== undefined && faults.decides()) late();
      return broker.checkpoint(group, topicPartition);
    },
    bounds: async () => {
      await delay();
      requireOwned();
      return broker.bounds(topicPartition);
    },
    seek: (to) => {
      requireOwned();
      position = to;
    },
    poll: async (budget, signal) => {
      if (polling) throw pipelineError('LS_TRANSPORT_CALL_OVERLAP', 'two polls at a time');
      if (budget.records <= 0 || budget.bytes <= 0) throw new RangeError('a poll without a budget');
      polling = true;
      return poll(budget, signal).finally(() => (polling = false));
    },
    deliver: (outputs, checkpoint) => {
      if (delivering !== undefined) throw pipelineError('LS_TRANSPORT_CALL_OVERLAP', 'two deliveries at a time');
      const delivery = deliver(outputs, checkpoint).finally(() => (delivering = undefined));
      delivering = delivery;
      return delivery;
    },
  };
  return {
    handle,
    revoke: () => ended.abort(),
    settled: async () => delivering?.catch(() => undefined),
    handed: () => handed,
  };
}
