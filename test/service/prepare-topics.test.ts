// What `run` does about topics that are not as they must be, on a broker; on the embedded log they are made.
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { parseConfiguration } from '../../src/config/load.ts';
import type { TopicFinding, Transport } from '../../src/pipeline/transport.ts';
import { prepareTopics, topicExpectations } from '../../src/prepare-topics.ts';
import { createProcessContext, type AccessRole } from '../../src/process-context.ts';

const error: TopicFinding = { topic: 'labels', setting: 'partitions', severity: 'error', message: '6 partitions', remedy: 'set it' };
const warning: TopicFinding = { topic: 'features', setting: 'retention.bytes', severity: 'warning', message: '5', remedy: 'take it out' };

async function prepare(kind: 'log' | 'kafka', role: AccessRole, findings: readonly TopicFinding[]) {
  const calls: string[] = [];
  const told: string[] = [];
  const transport = {
    checkTopics: () => (calls.push('check'), Promise.resolve(findings)),
    createTopics: (topics: readonly unknown[]) => (calls.push(`create ${String(topics.length)}`), Promise.resolve()),
  } as Partial<Transport> as Transport;
  const text = kind === 'kafka' ? 'transport: { kind: kafka, brokers: ["b:9092"] }' : 'transport: { kind: log }';
  const { configuration } = parseConfiguration(text, { file: '/c.yaml', environment: {}, assignments: [], tasks: [] });
  const context = await createProcessContext(pino({ level: 'warn' }, { write: (line: string) => void told.push(line) }));
  const outcome = await prepareTopics(transport, configuration!, context, role).then(
    () => undefined,
    (failure: unknown) => failure,
  );
  return { outcome, calls, told };
}

test('every error is named, with its remedy, and stops the start; warnings are told and do not', async () => {
  const stopped = await prepare('kafka', 'owner-required', [error, warning, { ...error, topic: 'metrics', setting: 'topic', remedy: 'make it' }]);
  expect(stopped.outcome).toMatchObject({ code: 'LS_TRANSPORT_TOPIC_SETTINGS', message: expect.stringMatching(/labels: partitions: 6 partitions\n\s+set it\n\s+metrics: topic:/) as string });
  expect((stopped.outcome as Error).message).not.toContain('features');
  const warned = await prepare('kafka', 'owner-required', [warning]);
  expect(warned.outcome).toBeUndefined();
  expect(warned.told.join('')).toContain('retention.bytes');
});

test('a remedy of several findings is said once', async () => {
  const missing: TopicFinding = { topic: 'labels', setting: 'topic', severity: 'error', message: 'the topic does not exist', remedy: 'make it' };
  const { outcome } = await prepare('kafka', 'processing', [missing, { ...missing, topic: 'metrics' }, error]);
  expect((outcome as Error).message.split('\n').slice(1)).toEqual(['  labels: topic: the topic does not exist', '  metrics: topic: the topic does not exist', '    make it', '  labels: partitions: 6 partitions', '    set it']);
});

test('another number of partitions of features, which can change, has a code of its own', async () => {
  const { outcome } = await prepare('kafka', 'processing', [{ ...error, topic: 'features' }]);
  expect(outcome).toMatchObject({ code: 'LS_TRANSPORT_PARTITION_COUNT', message: 'The topic features has 6 partitions: set it.', description: { remedy: expect.stringContaining('topics repartition') as string } });
  expect((await prepare('kafka', 'processing', [{ ...error, topic: 'features' }, error])).outcome).toMatchObject({ code: 'LS_TRANSPORT_TOPIC_SETTINGS' });
  expect(await prepare('kafka', 'repartitioning', [error])).toMatchObject({ outcome: undefined, calls: [] });
});

test('the setting that gives a number of partitions is known with it', () => {
  const settingsOf = (transport: string): Readonly<Record<string, string>> => {
    const { configuration } = parseConfiguration(`transport: { ${transport} }`, { file: '/c.yaml', environment: {}, assignments: [], tasks: [] });
    return Object.fromEntries(topicExpectations(configuration!).topics.map(({ topic, partitionCount, partitionCountSetting }) => [topic, `${partitionCountSetting} ${String(partitionCount)}`]));
  };
  expect(settingsOf('partitionCount: 3')).toMatchObject({ features: 'transport.partitionCount 3', labels: 'transport.partitionCount 3' });
  expect(settingsOf('partitionCount: 3, featuresPartitionCount: 5')).toMatchObject({ features: 'transport.featuresPartitionCount 5', labels: 'transport.partitionCount 3' });
});

test('commands that only look do not judge, and nothing is made on a broker', async () => {
  expect(await prepare('kafka', 'any', [error])).toMatchObject({ outcome: undefined, calls: [] });
  expect((await prepare('kafka', 'owner-required', [])).calls).toEqual(['check']);
});

test('on the embedded log the topics are made', async () => {
  expect((await prepare('log', 'any', [error])).calls).toEqual(['create 11']);
});
