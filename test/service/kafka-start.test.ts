// A broker that is there and whose answers are lost, while a service starts: it is waited for, as it is later on.
import { expect, test } from 'vitest';
import { allTopics } from '../../src/core/topics.ts';
import { startKafka } from '../brokers/kafka-broker.ts';
import { apiKeys, startProxy } from '../brokers/kafka-proxy.ts';
import { describeWith, kafkaNeeds } from '../brokers/requirements.ts';
import { succeed, textsConfiguration, topicContents, withLog, writeEncoder } from '../cli/fixtures.ts';
import { startProgram, withDirectory, writeConfiguration } from './program.ts';

const partitionCount = 2;

describeWith(await kafkaNeeds(), 'a start over Kafka', () => {
  test('goes on when the answer to its first definition was lost', async () => {
    const broker = await startKafka();
    const proxy = await startProxy(broker.proxyPorts);
    try {
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
    } finally {
      await proxy.close();
      await broker.close();
    }
  });
});
