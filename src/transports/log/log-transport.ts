/**
 * The transport port on the embedded log. It adds to a log store what the port promises beyond storage: opaque positions, waiting reads,
 * consumer groups among the subscriptions of this process, and a clear refusal of what the log does not take.
 *
 * Groups know only this process's members: subscribe in the process that owns the log directory, nowhere else (SEMANTICS.md, rule 26).
 */
import { counted } from '../../core/counted.ts';
import { pipelineError } from '../../core/errors/pipeline.ts';
import { recordBytes, type OutputRecord, type TopicPartition } from '../../core/records.ts';
import { topics as topicNames } from '../../core/topics.ts';
import type { TopicDescription, TopicExpectation, TopicFinding, Transport } from '../../pipeline/transport.ts';
import { createConsumerGroups } from './consumer-groups.ts';
import { findBound } from './find-bound.ts';
import { isKept, readFrom, type PartitionLocation } from './log-reader.ts';
import type { LogStore } from './log-store.ts';
import { committedCheckpoint, ownPartition, partitionBounds } from './owned-partition.ts';
import { storedCheckpoint } from './positions.ts';
import { inputBytesMaxFor, recordLimits, type RecordLimits } from '../../pipeline/record-limits.ts';
import { defaultLogLimits } from './segment-log-store.ts';
import { claimTopic } from './topic-claim.ts';

export type LogTransportOptions = {
  /** The largest input taken, as `recordBytes` counts it; what stages write may be larger (record-limits.ts). The store must take that. */
  readonly recordBytesMax?: number;
};

/** One commit of `append`: enough to fill a synchronisation, little enough to keep the main loop free and a local frame small. */
const appendRecordsMax = 1_000;
const appendBytesMax = 4 * 1024 * 1024;
const topicNamePattern = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/;
const partitionCountMax = 10_000;

/** `close` ends every subscription (their `revoked` is awaited) and then closes the store. */
export function createLogTransport(store: LogStore, { recordBytesMax = inputBytesMaxFor(defaultLogLimits.recordBytes) }: LogTransportOptions = {}): Transport {
  const catalogue = createTopicCatalogue(store);
  const groups = createConsumerGroups();
  const closing = new AbortController();
  let closed: Promise<void> | undefined;

  const requireOpen = (): void => {
    if (closing.signal.aborted) throw pipelineError('LS_TRANSPORT_CLOSED', 'The transport on the embedded log is closed.');
  };
  const located = async (topicPartition: TopicPartition): Promise<PartitionLocation> => (requireOpen(), catalogue.locate(topicPartition));
  const checkRecords = recordCheck(catalogue, recordLimits(recordBytesMax));

  return {
    capabilities: { transactions: true, fencing: true },
    ...topicSide(store, catalogue, requireOpen),
    bounds: async (topicPartition) => partitionBounds(store, await located(topicPartition)),
    decided: async (topicPartition) => {
      await located(topicPartition);
    },
    boundAt: async (topicPartition, landmark) => findBound(store, await located(topicPartition), landmark),
    read: async (topicPartition, from, budget, signal) => {
      requireOpen();
      const location = await catalogue.locate(topicPartition);
      const records = await readFrom(store, location, from, budget, AbortSignal.any([signal, closing.signal]));
      if (records.length === 0 && !signal.aborted) requireOpen();
      return records;
    },
    isKept: async (topicPartition, position) => isKept(store, await located(topicPartition), position),
    append: async (records) => {
      requireOpen();
      await checkRecords(records);
      for (const part of cut(records)) {
        requireOpen();
        await store.commit({ records: part, checkpoints: [] });
      }
    },
    claim: async (topic) => {
      requireOpen();
      return claimTopic(store, await catalogue.locate({ topic, partition: 0 }), (records) => (requireOpen(), checkRecords(records)));
    },
    committed: async (group, topicPartition) => committedCheckpoint(store, group, await located(topicPartition)),
    resetGroup: async (group, places) => {
      requireOpen();
      await Promise.all(places.map(catalogue.locate));
      groups.requireEmpty(group);
      if (places.length > 0) await store.commit({ records: [], checkpoints: places.map((place) => storedCheckpoint(group, place, place.checkpoint)) });
    },
    subscribe: async ({ group, topics, delivery, listener }) => {
      requireOpen();
      const described = await Promise.all([...new Set(topics)].map((topic) => catalogue.describe(topic)));
      requireOpen();
      const leave = await groups.join(group, {
        topics: described,
        listener,
        own: (location) => ownPartition({ store, location, group, delivery, checkRecords }),
      });
      return { close: leave };
    },
    close: () => {
      closing.abort();
      return (closed ??= groups.closeAll().finally(() => store.close()));
    },
  };
}

type TopicSide = 'createTopics' | 'checkTopics' | 'describeTopic' | 'topicForm' | 'topicRetention' | 'replaceTopic';

function topicSide(store: LogStore, catalogue: TopicCatalogue, requireOpen: () => void): Pick<Transport, TopicSide> {
  return {
    createTopics: async (topics) => {
      requireOpen();
      await createTopics(store, catalogue, topics);
    },
    checkTopics: async ({ topics }) => {
      requireOpen();
      const existing = await catalogue.refresh();
      return topics.flatMap((expected) => findingOf(expected, existing.get(expected.topic)?.partitionCount) ?? []);
    },
    describeTopic: async (topic) => {
      requireOpen();
      // Who asks may want to know whether another process has replaced it.
      await catalogue.refresh();
      return catalogue.describe(topic);
    },
    topicForm: async (topic) => {
      requireOpen();
      await catalogue.describe(topic);
      return { replicationFactor: undefined, settings: {} };
    },
    topicRetention: () => Promise.resolve(undefined),
    replaceTopic: async ({ topic, formerIncarnation, partitionCount }) => {
      requireOpen();
      const description = await store.replaceTopic(topic, formerIncarnation, partitionCount);
      await catalogue.refresh();
      return description;
    },
  };
}

type TopicCatalogue = {
  /** Rejects with LS_TRANSPORT_TOPIC_MISSING. */
  readonly describe: (topic: string) => Promise<TopicDescription>;
  readonly locate: (topicPartition: TopicPartition) => Promise<PartitionLocation>;
  readonly refresh: () => Promise<ReadonlyMap<string, TopicDescription>>;
};

/** Others make topics, but replace none, while a log is open: a description that was seen stays true, but for the features topic, which another process may replace: `describeTopic` asks. */
function createTopicCatalogue(store: LogStore): TopicCatalogue {
  let known: ReadonlyMap<string, TopicDescription> = new Map();
  const refresh = async (): Promise<ReadonlyMap<string, TopicDescription>> => {
    known = new Map((await store.topics()).map((description) => [description.topic, description]));
    return known;
  };
  const describe = async (topic: string): Promise<TopicDescription> => {
    const description = known.get(topic) ?? (await refresh()).get(topic);
    if (description !== undefined) return description;
    throw pipelineError('LS_TRANSPORT_TOPIC_MISSING', `There is no topic "${topic}" in the log.`, { topic });
  };
  const locate = async ({ topic, partition }: TopicPartition): Promise<PartitionLocation> => {
    const { incarnation, partitionCount } = known.get(topic) ?? (await describe(topic));
    if (Number.isInteger(partition) && partition >= 0 && partition < partitionCount) return { topic, partition, incarnation };
    throw pipelineError(
      'LS_TRANSPORT_TOPIC_MISSING',
      `Topic "${topic}" has ${counted(partitionCount, 'partition')}; there is no partition ${partition}.`,
      { topic, partition, partitionCount },
    );
  };
  return { describe, locate, refresh };
}

async function createTopics(
  store: LogStore,
  catalogue: TopicCatalogue,
  topics: readonly { readonly topic: string; readonly partitionCount: number }[],
): Promise<void> {
  const existing = await catalogue.refresh();
  // All are checked before any is made: a refused list leaves nothing behind.
  for (const { topic, partitionCount } of topics) {
    const nameable = topicNamePattern.test(topic);
    if (!nameable || !Number.isInteger(partitionCount) || partitionCount < 1 || partitionCount > partitionCountMax) {
      throw pipelineError('LS_TRANSPORT_TOPIC_INVALID', `Topic "${topic}" cannot be made with ${partitionCount} partitions.`, {
        topic,
        partitionCount,
      });
    }
    requirePartitionCount(existing.get(topic), partitionCount);
  }
  for (const { topic, partitionCount } of topics) {
    // Another process may have made it in between.
    if (!existing.has(topic)) requirePartitionCount(await store.createTopic(topic, partitionCount), partitionCount);
  }
  await catalogue.refresh();
}

function requirePartitionCount(existing: TopicDescription | undefined, partitionCount: number): void {
  if (existing === undefined || existing.partitionCount === partitionCount) return;
  throw pipelineError(
    'LS_TRANSPORT_PARTITION_COUNT',
    `Topic "${existing.topic}" has ${counted(existing.partitionCount, 'partition')}, not ${partitionCount}.`,
    { topic: existing.topic, partitionCount: existing.partitionCount, partitionCountAsked: partitionCount },
  );
}

function findingOf({ topic, partitionCount: expected, partitionCountSetting }: TopicExpectation, partitionCount: number | undefined): TopicFinding | undefined {
  if (partitionCount === expected) return undefined;
  if (partitionCount === undefined) return { topic, setting: 'topic', severity: 'error', message: 'the topic does not exist', remedy: 'make it: labelstream topics create -c FILE' };
  const isFeatures = topic === topicNames.features;
  const message = `${counted(partitionCount, 'partition')}, where ${partitionCountSetting} says ${expected}`;
  const remedy = isFeatures ? `set transport.featuresPartitionCount to ${partitionCount}, or: labelstream topics repartition -c FILE` : 'set transport.partitionCount to what the topics have';
  return { topic, setting: 'partitions', severity: 'error', message, remedy };
}

function recordCheck(catalogue: TopicCatalogue, limits: RecordLimits): (records: readonly OutputRecord[]) => Promise<void> {
  return async (records) => {
    for (const [index, record] of records.entries()) {
      requireSize(record, index, limits);
      await catalogue.locate(record);
    }
  };
}

function requireSize(record: OutputRecord, index: number, limits: RecordLimits): void {
  const bytes = recordBytes(record);
  const recordBytesMax = limits.bytesMax(record.topic);
  if (bytes <= recordBytesMax) return;
  throw pipelineError(
    'LS_TRANSPORT_RECORD_TOO_LARGE',
    `Record ${index} for partition ${record.partition} of ${record.topic} is ${bytes} bytes; the log takes up to ${recordBytesMax}.`,
    { topic: record.topic, partition: record.partition, index, bytes, recordBytesMax },
  );
}

function* cut(records: readonly OutputRecord[]): Generator<readonly OutputRecord[]> {
  let part: OutputRecord[] = [];
  let partBytes = 0;
  for (const record of records) {
    const bytes = recordBytes(record);
    if (part.length > 0 && (part.length >= appendRecordsMax || partBytes + bytes > appendBytesMax)) {
      yield part;
      part = [];
      partBytes = 0;
    }
    part.push(record);
    partBytes += bytes;
  }
  if (part.length > 0) yield part;
}
