/**
 * What must be true of topics before a stage may read and write them, judged from their settings: who finds out later finds out by losing
 * records (SEMANTICS.md, rules 11, 13, 17 and 22). Pure.
 */
import { counted } from '../../core/counted.ts';
import { eventTopics, inputTopics, isRerunTopic, topics } from '../../core/topics.ts';
import type { RecordLimits } from '../../pipeline/record-limits.ts';
import type { TopicExpectation, TopicExpectations, TopicFinding } from '../../pipeline/transport.ts';
import { withoutPrefix } from './name-prefix.ts';
import type { TopicRight, TopicRights } from './topic-rights.ts';
import { deadLetterExtraBytes, messageBytes, type TopicSettings } from './topics.ts';

export type TopicSituation = {
  readonly expectations: TopicExpectations;
  readonly rights: TopicRights;
  /** Those that exist and may be looked at. */
  readonly settings: ReadonlyMap<string, TopicSettings>;
  /** By the names that the topics have on the brokers. */
  readonly limits: RecordLimits;
  /** What those names begin with; nothing by default. */
  readonly namePrefix?: string | undefined;
};

type Judge = (found: TopicSettings, situation: TopicSituation, expected: TopicExpectation) => TopicFinding | undefined;

export function judgeTopics(situation: TopicSituation): readonly TopicFinding[] {
  return situation.expectations.topics.flatMap((expected) => {
    const { topic } = expected;
    const denied = missingRights(topic, situation);
    const found = situation.settings.get(topic);
    if (found === undefined) return denied.length > 0 ? denied : [missing(topic)];
    return [...denied, ...judges.flatMap((judge) => judge(found, situation, expected) ?? [])];
  });
}

const missing = (topic: string): TopicFinding => ({
  topic, setting: 'topic', severity: 'error', message: 'the topic does not exist', remedy: 'make it: labelstream topics create -c FILE',
});

const read: readonly string[] = [...inputTopics, topics.features];
const written: readonly string[] = [topics.parked, topics.features, topics.labels, topics.clusterEvents, topics.deadLetters, topics.metrics];

/** What `run` does with a topic. Those of the commands are not asked for here: others may be their users. */
function rightsNeeded(topic: string): readonly TopicRight[] {
  return [...(read.includes(topic) ? (['Read'] as const) : []), ...(written.includes(topic) ? (['Write'] as const) : []), 'DescribeConfigs'];
}

/** All of them at once: a right on the topic of dead letters would otherwise be missed when the first one is written. */
function missingRights(topic: string, { rights, namePrefix }: TopicSituation): readonly TopicFinding[] {
  const given = rights.get(topic);
  if (given === undefined) return [];
  const needed = rightsNeeded(withoutPrefix(topic, namePrefix)).filter((right) => !given.has(right));
  if (needed.length === 0) return [];
  // What else is granted on a topic that may not be seen, nobody is told.
  const denied = given.size === 0 ? 'may not see whether the topic exists, and needs' : 'may not';
  return [{
    topic, setting: 'rights', severity: withoutPrefix(topic, namePrefix) === topics.metrics ? 'warning' : 'error',
    message: `this user ${denied} ${needed.join(' and ')}`,
    remedy: `kafka-acls.sh --add --allow-principal User:NAME ${needed.map((right) => `--operation ${right}`).join(' ')} --topic ${topic}`,
  }];
}

const judges: readonly Judge[] = [partitions, timestamps, compaction, messageLimit, deadLetterLimit, retention, retentionBytes, redriveRetention, redriveRetentionBytes];

function partitions({ topic, partitionCount }: TopicSettings, { namePrefix }: TopicSituation, expected: TopicExpectation): TopicFinding | undefined {
  if (partitionCount === expected.partitionCount) return undefined;
  const message = `${counted(partitionCount, 'partition')}, where ${expected.partitionCountSetting} says ${expected.partitionCount}`;
  if (withoutPrefix(topic, namePrefix) === topics.features) {
    return { topic, setting: 'partitions', severity: 'error', message, remedy: `set transport.featuresPartitionCount to ${partitionCount}, or: labelstream topics repartition -c FILE` };
  }
  return {
    topic, setting: 'partitions', severity: 'error', message,
    remedy: 'set transport.partitionCount to what the topics have; adding partitions moves keys, so a topic keeps its number',
  };
}

function timestamps({ topic, timestampType }: TopicSettings): TopicFinding | undefined {
  if (timestampType === 'LogAppendTime') return undefined;
  return {
    topic, setting: 'message.timestamp.type', severity: 'error', message: `${timestampType}: records have the time that their producer says`,
    remedy: `kafka-configs.sh --alter --topic ${topic} --add-config message.timestamp.type=LogAppendTime`,
  };
}

function compaction({ topic, cleanupPolicy }: TopicSettings): TopicFinding | undefined {
  if (!cleanupPolicy.split(',').includes('compact')) return undefined;
  return {
    topic, setting: 'cleanup.policy', severity: 'error', message: `${cleanupPolicy}: compaction removes records that are still needed`,
    remedy: `kafka-configs.sh --alter --topic ${topic} --add-config cleanup.policy=delete`,
  };
}

/** Of inputs it only says how large a record can be published at all. */
function messageLimit({ topic, messageBytesMax }: TopicSettings, { limits, namePrefix }: TopicSituation): TopicFinding | undefined {
  const needed = messageBytes(limits.bytesMax(topic));
  if (messageBytesMax >= needed) return undefined;
  return {
    topic, setting: 'max.message.bytes', severity: isWrittenByUs(withoutPrefix(topic, namePrefix)) ? 'error' : 'warning',
    message: `${messageBytesMax}, where a record may take ${needed} by transport.recordBytesMax`,
    remedy: `kafka-configs.sh --alter --topic ${topic} --add-config max.message.bytes=${needed}; or lower transport.recordBytesMax`,
  };
}

/** A dead letter holds its input whole: what an input topic takes, the topic of dead letters must take, too. */
function deadLetterLimit({ topic, messageBytesMax }: TopicSettings, { settings, limits, namePrefix }: TopicSituation): TopicFinding | undefined {
  if (withoutPrefix(topic, namePrefix) !== topics.deadLetters) return undefined;
  const extra = deadLetterExtraBytes(limits, namePrefix);
  const largest = Math.max(...eventTopics.map((name) => settings.get((namePrefix ?? '') + name)?.messageBytesMax ?? 0));
  if (messageBytesMax >= largest + extra) return undefined;
  return {
    topic, setting: 'max.message.bytes', severity: 'error',
    message: `${messageBytesMax}, where an input topic takes records of ${largest}: one that cannot be processed could not become a dead letter`,
    remedy: `kafka-configs.sh --alter --topic ${topic} --add-config max.message.bytes=${largest + extra}`,
  };
}

/** The newest three snapshots are kept: until the oldest of them is replaced its records may be asked for. */
const snapshotsCovered = 4;

function retention({ topic, retentionMs }: TopicSettings, { expectations, namePrefix }: TopicSituation): TopicFinding | undefined {
  if (withoutPrefix(topic, namePrefix) !== topics.features || retentionMs < 0) return undefined;
  const needed = snapshotsCovered * expectations.snapshotIntervalMs;
  if (retentionMs >= needed) return undefined;
  return {
    topic, setting: 'retention.ms', severity: 'error', message: `${retentionMs} ms: clusters could not be restored, since snapshots are up to ${expectations.snapshotIntervalMs} ms apart`,
    remedy: `kafka-configs.sh --alter --topic ${topic} --add-config retention.ms=${Math.max(needed, 604_800_000)}; or shorten cluster.snapshotIntervalMs`,
  };
}

function retentionBytes({ topic, retentionBytes: bytes }: TopicSettings, { namePrefix }: TopicSituation): TopicFinding | undefined {
  if (withoutPrefix(topic, namePrefix) !== topics.features || bytes < 0) return undefined;
  return {
    topic, setting: 'retention.bytes', severity: 'warning', message: `${bytes}: under load records could go before a snapshot holds them`,
    remedy: `kafka-configs.sh --alter --topic ${topic} --add-config retention.bytes=-1, and bound it by retention.ms`,
  };
}

/** A redrive marks its dead letter by a record of `redrive`: where that goes first, the dead letter is open again. */
function redriveRetention({ topic, retentionMs }: TopicSettings, { settings, namePrefix }: TopicSituation): TopicFinding | undefined {
  const deadLetters = settings.get((namePrefix ?? '') + topics.deadLetters);
  if (withoutPrefix(topic, namePrefix) !== topics.redrive || retentionMs < 0 || deadLetters === undefined) return undefined;
  const needed = deadLetters.retentionMs < 0 ? -1 : deadLetters.retentionMs + deadLetters.segmentMs;
  if (needed >= 0 && retentionMs >= needed) return undefined;
  return {
    topic, setting: 'retention.ms', severity: 'warning',
    message: `${retentionMs} ms: a dead letter is kept for up to ${needed < 0 ? 'ever' : `${needed} ms`}, and is open again once the record is gone that says it was redriven`,
    remedy: `kafka-configs.sh --alter --topic ${topic} --add-config retention.ms=${needed}`,
  };
}

function redriveRetentionBytes({ topic, retentionBytes: bytes }: TopicSettings, { namePrefix }: TopicSituation): TopicFinding | undefined {
  if (withoutPrefix(topic, namePrefix) !== topics.redrive || bytes < 0) return undefined;
  return {
    topic, setting: 'retention.bytes', severity: 'warning', message: `${bytes}: what says that a dead letter was redriven could go before the dead letter, which is then open again`,
    remedy: `kafka-configs.sh --alter --topic ${topic} --add-config retention.bytes=-1, and bound it by retention.ms`,
  };
}

function isWrittenByUs(topic: string): boolean {
  return isRerunTopic(topic) || !eventTopics.some((name) => name === topic);
}
