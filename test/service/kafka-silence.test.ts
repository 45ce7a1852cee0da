// A broker that takes connections and answers nothing, as one that is stopped or stuck does: commands end, and the program says that it waits.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startKafka, type KafkaBroker } from '../brokers/kafka-broker.ts';
import { describeWith, kafkaNeeds } from '../requirements.ts';
import { createTopics, freePort, healthAt, metricsAt, withStarted, writeKafkaConfiguration } from './kafka-program.ts';
import { jsonLines, startProgram, withDirectory } from './program.ts';

vi.setConfig({ testTimeout: 240_000 });

/** The message waits 15 seconds; the rest is for a loaded machine. */
const endedMsMax = 60_000;

describeWith(await kafkaNeeds(), 'brokers that do not answer', () => {
  let broker: KafkaBroker;

  beforeAll(async () => {
    broker = await startKafka();
  });

  afterAll(async () => {
    await broker.close();
  });

  test('commands that people wait for end with a code, and leave nothing behind', async () => {
    await withDirectory(async (directory) => {
      const file = await writeKafkaConfiguration(directory, { brokers: broker.brokers, namePrefix: 'commands.' });
      await createTopics(file);
      await broker.stopProcess();
      try {
        const patient = ['requestTimeoutMs=30000', 'sessionTimeoutMs=45000', 'rebalanceTimeoutMs=60000', 'transactionTimeoutMs=60000'].flatMap((setting) => ['--set', `transport.${setting}`]);
        const programs = [['lag'], ['lag', ...patient], ['dlq', 'list', ...patient]].map((command) => startProgram([...command, '-c', file]));
        try {
          const over = new AbortController();
          const killed = delay(endedMsMax, undefined, { signal: over.signal }).then(() => { for (const program of programs) program.kill('SIGKILL'); }, () => undefined);
          for (const { code, stderr } of await Promise.all(programs.map(({ finished }) => finished))) expect([code, stderr]).toEqual([1, expect.stringMatching(/\[LS_KAFKA_UNREACHABLE\]/) as string]);
          over.abort();
          await killed;
        } finally {
          for (const program of programs) program.kill('SIGKILL');
        }
      } finally {
        await broker.continueProcess();
      }
    });
  });

  test('run is not ready as long as it lasts, and is ready again after it', async () => {
    await withDirectory(async (directory) => {
      const port = await freePort();
      const file = await writeKafkaConfiguration(directory, { brokers: broker.brokers, namePrefix: 'run.', port });
      await createTopics(file);
      await withStarted([file], async ([run]) => {
        await run!.said('"msg":"running"');
        await vi.waitUntil(async () => (await healthAt(port)).status === 'ready', { timeout: 60_000, interval: 200 });
        await broker.stopProcess();
        try {
          await run!.said('"msg":"waiting for the brokers"');
          await vi.waitFor(async () => expect((await healthAt(port)).reasons).toEqual([expect.stringMatching(/^waiting for the brokers: /) as string]), { timeout: 60_000, interval: 200 });
          const metrics = await metricsAt(port);
          expect(metrics.get('labelstream_kafka_unavailable')).toBe(1);
          expect(metrics.get('labelstream_kafka_failures_total')).toBeGreaterThan(0);
        } finally {
          await broker.continueProcess();
        }
        await vi.waitUntil(async () => (await healthAt(port)).status === 'ready', { timeout: 60_000, interval: 200 });
        expect((await metricsAt(port)).get('labelstream_kafka_unavailable')).toBe(0);
        run!.kill('SIGTERM');
        const { code, stderr } = await run!.finished;
        expect(code).toBe(0);
        expect(jsonLines(stderr).filter(({ msg }) => msg === 'the brokers answer again')).toHaveLength(1);
      });
    });
  });

  test('run that is stopped while it waits does not say that they answer', async () => {
    await withDirectory(async (directory) => {
      const file = await writeKafkaConfiguration(directory, { brokers: broker.brokers, namePrefix: 'stop.' });
      await createTopics(file);
      await withStarted([file], async ([run]) => {
        await run!.said('"msg":"running"');
        await broker.stopProcess();
        try {
          await run!.said('"msg":"waiting for the brokers"');
          run!.kill('SIGTERM');
          const { stderr } = await run!.finished;
          expect(stderr).not.toContain('the brokers answer again');
        } finally {
          await broker.continueProcess();
        }
      });
    });
  });
});
