// A topic of others that nobody leads, on brokers that are well otherwise: it is no concern of this program.
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openKafkaTransport } from '../../src/transports/kafka/kafka-transport.ts';
import { startKafka, type KafkaBroker } from '../brokers/kafka-broker.ts';
import { chooseKafkaRuntime } from '../brokers/kafka-runtime.ts';
import { appendRecords } from '../cli/log-access.ts';
import { describeWith, kafkaNeeds } from '../requirements.ts';
import { kafkaOptions, output } from '../transports/kafka/group-fixture.ts';
import { labelsOf, notes, withStarted, writeKafkaConfiguration } from './kafka-program.ts';
import { runProgram, withDirectory } from './program.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const needs = await kafkaNeeds();
/** Its disk is taken away. */
const isProcess = await chooseKafkaRuntime().then((runtime) => runtime === 'process', () => true);

describeWith({ ...needs, 'a broker that is no container': isProcess }, 'a topic of others without a leader', () => {
  let broker: KafkaBroker;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'labelstream-leaderless-'));
    broker = await startKafka({ configuration: { 'log.dirs': join(directory, 'first') } });
    await loseTopic(broker, directory, 'somebody-elses');
  });

  afterAll(async () => {
    await broker.close();
    await rm(directory, { recursive: true, force: true });
  });

  test.each(['kafkajs', 'platformatic'] as const)('hinders nothing that the transport does, with %s as the producer', async (producer) => {
    const transport = await openKafkaTransport(kafkaOptions(broker.brokers, { producer }));
    try {
      const topic = `${producer}.text.events`;
      await transport.createTopics([{ topic, partitionCount: 1 }]);
      await expect(transport.topicRetention(topic)).resolves.toBeDefined();
      const form = await transport.topicForm(topic);
      expect(form).toMatchObject({ replicationFactor: 1, settings: { 'message.timestamp.type': 'LogAppendTime' } });
      await transport.append([output(topic, 'before')]);
      const { start } = await transport.bounds({ topic, partition: 0 });
      await transport.resetGroup(producer, [{ topic, partition: 0, checkpoint: { position: start.position, sequence: start.sequence - 1n, outputsSent: 0 } }]);
      const claim = await transport.claim(topic);
      await claim.append([output(topic, 'claimed')]);
      await claim.close();
      const { incarnation } = await transport.describeTopic(topic);
      await expect(transport.replaceTopic({ topic, formerIncarnation: incarnation, partitionCount: 2, form })).resolves.toMatchObject({ partitionCount: 2 });
    } finally {
      await transport.close();
    }
  });

  test('hinders neither commands nor run', async () => {
    await withDirectory(async (directory) => {
      const file = await writeKafkaConfiguration(directory, { brokers: broker.brokers, namePrefix: 'ours.' });
      for (const command of [['topics', 'create'], ['topics', 'check'], ['lag']]) {
        const { code, stderr } = await runProgram(...command, '-c', file);
        expect([command, code, stderr]).toEqual([command, 0, expect.anything()]);
      }
      await appendRecords(file, notes('a', 3));
      await withStarted([file], async ([run]) => {
        await run!.said('"msg":"running"');
        await vi.waitUntil(async () => (await labelsOf(file)).length === 3, { timeout: 60_000, interval: 500 });
        run!.kill('SIGTERM');
        const { code, stderr } = await run!.finished;
        expect(code, stderr).toBe(0);
        expect(stderr).not.toContain('waiting for the brokers');
      });
    });
  });
});

/** It is the first of a disk that is added, and then lost. */
async function loseTopic(broker: KafkaBroker, directory: string, topic: string): Promise<void> {
  const [first, second] = [join(directory, 'first'), join(directory, 'second')];
  const properties = await readFile(join(first, 'meta.properties'), 'utf8');
  await mkdir(second);
  await writeFile(join(second, 'meta.properties'), properties.replace(/^directory\.id=.*$/m, ''));
  await broker.restart({ 'log.dirs': `${first},${second}` });
  const admin = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING, retry: { retries: 0 } }).admin();
  await admin.connect();
  const isLed = (): Promise<boolean> => admin.fetchTopicMetadata({ topics: [topic] }).then(() => true, () => false);
  try {
    await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: false });
    while (!(await isLed())) await delay(50);
    await rename(second, join(directory, 'lost'));
    while (await isLed()) await delay(200);
  } finally {
    await admin.disconnect();
  }
}
