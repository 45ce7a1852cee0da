// A broker that takes connections and answers nothing, as one that is stopped or stuck does: commands end, and the program says that it waits.
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { noHeaders, type OutputRecord } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { codeOf } from '../../src/pipeline/retry.ts';
import { askAnyBroker } from '../../src/transports/kafka/answering-brokers.ts';
import { openConnection } from '../../src/transports/kafka/connection.ts';
import { openKafkaTransport } from '../../src/transports/kafka/kafka-transport.ts';
import { startKafka, type KafkaBroker } from '../brokers/kafka-broker.ts';
import { withLog } from '../cli/fixtures.ts';
import { describeWith, kafkaNeeds } from '../requirements.ts';
import { kafkaOptions } from '../transports/kafka/group-fixture.ts';
import { createTopics, freePort, healthAt, metricsAt, withStarted, writeKafkaConfiguration } from './kafka-program.ts';
import { jsonLines, startProgram, withDirectory } from './program.ts';

vi.setConfig({ testTimeout: 240_000 });

/** The message waits 15 seconds; the rest is for a loaded machine. */
const endedMsMax = 150_000;

/** Of the settings; those of tests are shorter. */
const defaultTimes = { requestTimeoutMs: 30_000, sessionTimeoutMs: 45_000, rebalanceTimeoutMs: 60_000, transactionTimeoutMs: 60_000 };
const withDefaultTimes = Object.entries(defaultTimes).flatMap(([name, timeMs]) => ['--set', `transport.${name}=${timeMs}`]);

const record = (topic: string): OutputRecord => ({ topic, partition: 0, key: null, value: Buffer.from('x'), headers: noHeaders });

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
        const programs = [['lag'], ['lag', ...withDefaultTimes], ['dlq', 'list', ...withDefaultTimes]].map((command) => startProgram([...command, '-c', file]));
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

  test('a command that reads on ends where they fall silent meanwhile', async () => {
    await withDirectory(async (directory) => {
      const file = await writeKafkaConfiguration(directory, { brokers: broker.brokers, namePrefix: 'following.' });
      await createTopics(file);
      await withLog(file, ({ transport }) => transport.append([record(topics.labels)]));
      const tail = startProgram(['tail', 'labels', '--from-start', '-c', file, ...withDefaultTimes]);
      try {
        await tail.printed('0:0');
        await broker.stopProcess();
        const { code, stderr } = await tail.finished;
        expect([code, stderr]).toEqual([1, expect.stringMatching(/None of the brokers \S+ has answered for 15 seconds\. \[LS_KAFKA_UNREACHABLE\]/) as string]);
      } finally {
        await broker.continueProcess();
        tail.kill('SIGKILL');
      }
    });
  });

  test.each(['kafkajs', 'platformatic'] as const)('calls that a command has begun end, with the client %s', async (producer) => {
    const topic = `calls-${producer}`;
    const place = { topic, partition: 0 };
    const records = [record(topic)];
    const transport = await openKafkaTransport({ ...kafkaOptions(broker.brokers, { producer, ...defaultTimes }), patience: 'once' });
    try {
      await transport.createTopics([{ topic, partitionCount: 1 }]);
      const claim = await transport.claim(topic);
      await claim.append(records);
      const { end } = await transport.bounds(place);
      await broker.stopProcess();
      const calls = {
        append: transport.append(records),
        appendClaimed: claim.append(records),
        bounds: transport.bounds(place),
        claim: transport.claim(topic),
        committed: transport.committed('g', place),
        create: transport.createTopics([{ topic: 'other', partitionCount: 1 }]),
        describe: transport.describeTopic(topic),
        read: transport.read(place, end.position, { records: 1, bytes: 1 }, new AbortController().signal),
        reset: transport.resetGroup('g', []),
      };
      const codes = await Promise.all(Object.entries(calls).map(async ([name, call]) => [name, await call.then(() => undefined, codeOf)]));
      expect(codes).toEqual(Object.keys(calls).map((name) => [name, 'LS_KAFKA_UNREACHABLE']));
      await claim.close();
      await transport.close();
    } finally {
      await broker.continueProcess();
      await transport.close();
    }
  });

  test('one of them that answers is enough', async () => {
    const silent = createServer((socket) => socket.on('error', () => undefined).resume()).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const options = { ...kafkaOptions(broker.brokers), brokers: [`127.0.0.1:${port}`, broker.brokers] };
    const connection = openConnection(options);
    try {
      await askAnyBroker(connection, options);
    } finally {
      await connection.close();
      silent.close();
    }
  });

  test('run is not ready as long as it lasts, and is ready again after it', async () => {
    await withDirectory(async (directory) => {
      const port = await freePort();
      const file = await writeKafkaConfiguration(directory, { brokers: broker.brokers, namePrefix: 'run.', port });
      await createTopics(file);
      await withStarted([file], async ([run]) => {
        await run!.said('"msg":"running"');
        await vi.waitUntil(async () => (await healthAt(port)).status === 'ready', { timeout: 150_000, interval: 200 });
        await broker.stopProcess();
        try {
          await run!.said('"msg":"waiting for the brokers"');
          await vi.waitFor(async () => expect((await healthAt(port)).reasons).toEqual([expect.stringMatching(/^waiting for the brokers: /) as string]), { timeout: 150_000, interval: 200 });
          const metrics = await metricsAt(port);
          expect(metrics.get('labelstream_kafka_unavailable')).toBe(1);
          expect(metrics.get('labelstream_kafka_failures_total')).toBeGreaterThan(0);
        } finally {
          await broker.continueProcess();
        }
        await vi.waitUntil(async () => (await healthAt(port)).status === 'ready', { timeout: 150_000, interval: 200 });
        expect((await metricsAt(port)).get('labelstream_kafka_unavailable')).toBe(0);
        run!.kill('SIGTERM');
        const { code, stderr } = await run!.finished;
        expect(code).toBe(0);
        expect(jsonLines(stderr).filter(({ msg }) => msg === 'the brokers answer again')).toHaveLength(1);
      });
    });
  });

  test('run that is stopped soon after they fell silent gives up within its time, and tells nothing that is not so', async () => {
    await withDirectory(async (directory) => {
      const file = await writeKafkaConfiguration(directory, { brokers: broker.brokers, namePrefix: 'soon.', producer: 'platformatic', delivery: 'exactly-once' });
      await createTopics(file);
      const run = startProgram(['run', '-c', file, ...withDefaultTimes]);
      try {
        await run.said('"msg":"running"');
        await broker.stopProcess();
        // Longer than from one heartbeat to the next.
        await delay(1_500);
        run.kill('SIGTERM');
        const { code, stderr } = await run.finished;
        const told = jsonLines(stderr);
        const timeOf = (message: string): number => Number(told.find(({ msg }) => msg === message)?.['time']);
        expect([code, told.at(-1)]).toEqual([0, expect.objectContaining({ msg: 'stopped' })]);
        expect(timeOf('stopped') - timeOf('stopping')).toBeLessThan(25_000);
        expect(stderr).not.toContain('before its session ended');
      } finally {
        await broker.continueProcess();
        run.kill('SIGKILL');
      }
    });
  });

  test.each([{ deadlineMs: 30_000 }, { deadlineMs: 1_000 }])('run that is stopped while it waits does not say that they answer, nor anything after its end (%o)', async ({ deadlineMs }) => {
    await withDirectory(async (directory) => {
      const file = await writeKafkaConfiguration(directory, { brokers: broker.brokers, namePrefix: `stop-${String(deadlineMs)}.`, more: `shutdown: { deadlineMs: ${String(deadlineMs)} }` });
      await createTopics(file);
      await withStarted([file], async ([run]) => {
        await run!.said('"msg":"running"');
        await broker.stopProcess();
        try {
          await run!.said('"msg":"waiting for the brokers"');
          run!.kill('SIGTERM');
          const { stderr } = await run!.finished;
          expect(stderr).not.toContain('the brokers answer again');
          expect(jsonLines(stderr).at(-1)).toMatchObject({ msg: 'stopped' });
        } finally {
          await broker.continueProcess();
        }
      });
    });
  });
});
