// The start and the end of a run where the broker is slow: answers that are lost while it starts, markers that come late when all is done.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { allTopics } from '../../src/core/topics.ts';
import { startKafka, type KafkaBroker } from '../brokers/kafka-broker.ts';
import { apiKeys, startProxy, type KafkaProxy } from '../brokers/kafka-proxy.ts';
import { describeWith, kafkaNeeds } from '../requirements.ts';
import { succeed, textsConfiguration, topicContents, withLog, writeEncoder } from '../cli/fixtures.ts';
import { appendTexts } from '../cli/log-access.ts';
import { createTopics, isAssignment, labelsOf, writeKafkaConfiguration } from './kafka-program.ts';
import { startProgram, withDirectory, writeConfiguration } from './program.ts';

const partitionCount = 2;

describeWith(await kafkaNeeds(), 'a run over Kafka', () => {
  let broker: KafkaBroker;
  let proxy: KafkaProxy;
  beforeAll(async () => {
    // What the broker writes to itself, the markers of transactions, goes through the proxy, too.
    broker = await startKafka({ configuration: { 'inter.broker.listener.name': 'PROXIED' } });
    proxy = await startProxy(broker.proxyPorts);
  });
  afterAll(async () => {
    await proxy.close();
    await broker.close();
  });

  test('starts when the answer to its first definition was lost', async () => {
    await withDirectory(async (directory) => {
      await writeEncoder(directory);
      const transport = `transport: { kind: kafka, brokers: ["${proxy.brokers}"], partitionCount: ${partitionCount}, requestTimeoutMs: 1000, sessionTimeoutMs: 6000, heartbeatIntervalMs: 500 }\n`;
      const file = await writeConfiguration(directory, transport + textsConfiguration());
      await withLog(file, ({ transport: kafka }) => kafka.createTopics(allTopics.map((topic) => ({ topic, partitionCount }))));
      const lost = proxy.on(apiKeys.produce, { action: 'drop-answer', times: 1 });
      const run = startProgram(['run', '-c', file]);
      try {
        await run.said('cannot start yet, trying again');
        await run.said('"msg":"running"');
        expect(lost.hits()).toBe(1);
      } finally {
        run.kill('SIGTERM');
      }
      expect((await run.finished).code).toBe(0);
      await succeed('run', '-c', file, '--until-idle');
      // Proposed twice, and in force once: a third start has nothing to add.
      expect((await topicContents(file, 'features')).length).toBe(2);
    });
  });

  test.each([
    { lost: 'before it is asked for rights', isLost: (version: number) => version > 11 },
    { lost: 'when it is asked for rights', isLost: (version: number) => version === 11 },
  ])('waits for a broker that is lost $lost, and looks at its topics then', async ({ isLost }) => {
    await withDirectory(async (directory) => {
      const file = await writeKafkaConfiguration(directory, { brokers: proxy.brokers, namePrefix: `lost.${String(isLost(11))}.` });
      await createTopics(file);
      const lost = proxy.on(apiKeys.metadata, { action: 'cut-before', when: ({ apiVersion }) => isLost(apiVersion) });
      const run = startProgram(['run', '-c', file]);
      try {
        await run.said('"msg":"waiting for the brokers"');
        expect(lost.hits()).toBeGreaterThan(0);
        lost.remove();
        await run.said('"msg":"running"');
      } finally {
        run.kill('SIGTERM');
      }
      expect((await run.finished).code).toBe(0);
    });
  });

  test('is idle when what its transactions committed can be read, and not before', async () => {
    await withDirectory(async (directory) => {
      const file = await writeKafkaConfiguration(directory, { brokers: broker.brokers, namePrefix: 'late.', delivery: 'exactly-once' });
      await createTopics(file);
      await appendTexts(file, { a: 'red', b: 'red', c: 'red' });
      const late = proxy.on(apiKeys.writeTxnMarkers, { action: 'delay', delayMs: 700 });
      await succeed('run', '-c', file, '--until-idle');
      expect(late.hits()).toBeGreaterThan(0);
      const assigned = (await labelsOf(file)).filter(isAssignment).map(({ itemId }) => itemId);
      late.remove();
      expect(new Set(assigned).size).toBe(3);
    });
  });
});
