import { expect, test } from 'vitest';
import { allTopics, topics } from '../../../src/core/topics.ts';
import { recordLimits } from '../../../src/pipeline/record-limits.ts';
import { limitsUnderPrefix } from '../../../src/transports/kafka/name-prefix.ts';
import { judgeTopics } from '../../../src/transports/kafka/topic-check.ts';
import type { TopicRight, TopicRights } from '../../../src/transports/kafka/topic-rights.ts';
import { messageBytes, type TopicSettings } from '../../../src/transports/kafka/topics.ts';

const limits = recordLimits(1_000_000);
const expected = (topic: string) => ({ topic, partitionCount: 4, partitionCountSetting: 'transport.partitionCount' });
const expectations = { topics: allTopics.map(expected), snapshotIntervalMs: 60_000 };

function good(topic: string): TopicSettings {
  return {
    topic, incarnation: 'x', partitionCount: 4, timestampType: 'LogAppendTime', messageBytesMax: messageBytes(limits.bytesMax(topic)),
    retentionMs: topic === topics.redrive ? 1_209_600_000 : 604_800_000, retentionBytes: -1, segmentMs: 604_800_000, cleanupPolicy: 'delete',
  };
}

function findings(changes: Readonly<Record<string, Partial<TopicSettings> | null>>): readonly string[] {
  const settings = new Map(allTopics.flatMap((topic) => (changes[topic] === null ? [] : [[topic, { ...good(topic), ...changes[topic] }]])));
  return judgeTopics({ expectations, rights: new Map(), settings, limits }).map(({ topic, setting, severity }) => `${severity} ${topic} ${setting}`);
}

test('topics as they are made are as they must be', () => {
  expect(findings({})).toEqual([]);
});

test.for([
  ['a missing topic', { labels: null }, ['error labels topic']],
  ['another partition count', { labels: { partitionCount: 6 } }, ['error labels partitions']],
  ['another partition count of features', { features: { partitionCount: 6 } }, ['error features partitions']],
  ['timestamps of producers', { 'text.events': { timestampType: 'CreateTime' } }, ['error text.events message.timestamp.type']],
  ['compaction', { features: { cleanupPolicy: 'compact,delete' } }, ['error features cleanup.policy']],
  ['an output that would not fit', { labels: { messageBytesMax: 1_000_000 } }, ['error labels max.message.bytes']],
  ['an input that can only be small', { 'text.events': { messageBytesMax: 100_000 } }, ['warning text.events max.message.bytes']],
  ['inputs that would not fit into a dead letter', { 'text.events': { messageBytesMax: 5_000_000 } }, ['error dead-letters max.message.bytes']],
  ['features that go before a snapshot holds them', { features: { retentionMs: 200_000 } }, ['error features retention.ms']],
  ['features that are kept for ever', { features: { retentionMs: -1 } }, []],
  ['features that go by size', { features: { retentionBytes: 1_000_000 } }, ['warning features retention.bytes']],
  ['redriven records that go before the dead letters that they mark', { redrive: { retentionMs: 1_209_599_999 } }, ['warning redrive retention.ms']],
  ['dead letters that are kept for ever', { 'dead-letters': { retentionMs: -1 } }, ['warning redrive retention.ms']],
  ['both kept for ever', { 'dead-letters': { retentionMs: -1 }, redrive: { retentionMs: -1 } }, []],
  ['redriven records that go by size', { redrive: { retentionBytes: 1_000_000 } }, ['warning redrive retention.bytes']],
  ['retention of another topic', { labels: { retentionMs: 1_000, retentionBytes: 1_000 } }, []],
] as const)('%s', ([, changes, expected]) => {
  expect(findings(changes)).toEqual(expected);
});

test('of another partition count the setting is named that gives it', () => {
  const settings = new Map([topics.features, topics.labels].map((topic) => [topic, { ...good(topic), partitionCount: 6 }]));
  const wanted = [{ topic: topics.features, partitionCount: 8, partitionCountSetting: 'transport.featuresPartitionCount' }, expected(topics.labels), expected(topics.features)];
  const told = judgeTopics({ expectations: { ...expectations, topics: wanted }, rights: new Map(), settings, limits });
  expect(told.map(({ message, remedy }) => `${message}: ${remedy.split(/[,;]/)[0] ?? ''}`)).toEqual([
    '6 partitions, where transport.featuresPartitionCount says 8: set transport.featuresPartitionCount to 6',
    '6 partitions, where transport.partitionCount says 4: set transport.partitionCount to what the topics have',
    '6 partitions, where transport.partitionCount says 4: set transport.featuresPartitionCount to 6',
  ]);
});

test('what is wrong with several topics is told in their order, each with a remedy that names it', () => {
  const settings = new Map([[topics.text, { ...good(topics.text), timestampType: 'CreateTime', cleanupPolicy: 'compact' }]]);
  const told = judgeTopics({ expectations, rights: new Map(), settings, limits });
  expect(new Set(told.map(({ topic }) => topic)).size).toBe(allTopics.length);
  expect(told.filter(({ topic }) => topic === topics.text)).toHaveLength(2);
  for (const { remedy, topic, setting } of told) expect(remedy).toMatch(setting === 'topic' ? /topics create/ : new RegExp(`--topic ${topic} `));
});

test('under a prefix of the names the same is found', () => {
  const namePrefix = 'shop.';
  const prefixed = (settings: TopicSettings): [string, TopicSettings] => [namePrefix + settings.topic, { ...settings, topic: namePrefix + settings.topic }];
  const changes: Readonly<Record<string, Partial<TopicSettings>>> = {
    'text.events': { messageBytesMax: 5_000_000 }, 'record.events': { messageBytesMax: 100_000 }, features: { retentionMs: 200_000, retentionBytes: 1_000_000 },
  };
  const settings = new Map(allTopics.map((topic) => prefixed({ ...good(topic), ...changes[topic] })));
  const told = judgeTopics({
    rights: new Map(),
    expectations: { ...expectations, topics: allTopics.map((topic) => expected(namePrefix + topic)) },
    settings, limits: limitsUnderPrefix(limits, namePrefix), namePrefix,
  });
  expect(told.map(({ topic, setting, severity }) => `${severity} ${topic} ${setting}`)).toEqual([
    'warning shop.record.events max.message.bytes', 'error shop.features retention.ms', 'warning shop.features retention.bytes', 'error shop.dead-letters max.message.bytes',
  ]);
});

test('what this user may not do is said of every topic at once, with the words to grant it; metrics are best effort', () => {
  const rights: TopicRights = new Map(
    allTopics.map((topic) => [`shop.${topic}`, new Set<TopicRight>(topic === topics.replay || topic === topics.metrics ? [] : ['Describe', 'DescribeConfigs', ...(topic === topics.labels ? [] : (['Read', 'Write'] as const))])]),
  );
  const told = judgeTopics({ expectations: { topics: allTopics.map((topic) => expected(`shop.${topic}`)), snapshotIntervalMs: 60_000 }, rights, settings: new Map(), limits: recordLimits(1_000_000), namePrefix: 'shop.' });
  expect(told.filter(({ setting }) => setting === 'rights')).toEqual([
    { topic: 'shop.replay', setting: 'rights', severity: 'error', message: 'this user may not see whether the topic exists, and needs Read and DescribeConfigs', remedy: 'kafka-acls.sh --add --allow-principal User:NAME --operation Read --operation DescribeConfigs --topic shop.replay' },
    { topic: 'shop.labels', setting: 'rights', severity: 'error', message: 'this user may not Write', remedy: 'kafka-acls.sh --add --allow-principal User:NAME --operation Write --topic shop.labels' },
    { topic: 'shop.metrics', setting: 'rights', severity: 'warning', message: expect.stringMatching(/and needs Write and DescribeConfigs$/) as string, remedy: expect.any(String) as string },
  ]);
});
