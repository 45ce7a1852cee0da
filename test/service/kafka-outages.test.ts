// Brokers that are away: the whole program waits for them, says so, loses nothing, and goes on without being started again (SEMANTICS.md, rule 22).
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { appendRecords, appendTexts } from '../cli/log-access.ts';
import { startKafka, type KafkaBroker } from '../brokers/kafka-broker.ts';
import { describeWith, kafkaNeeds } from '../requirements.ts';
import { createTopics, freePort, healthAt, isAssignment, labelsOf, metricsAt, notes, sessionTimeoutMs, withStarted, writeKafkaConfiguration } from './kafka-program.ts';
import { jsonLines, runProgram, withDirectory } from './program.ts';

vi.setConfig({ testTimeout: 240_000 });

/** Longer than a session: those of before are over when the broker is there again. */
const outageMs = process.env['LABELSTREAM_TEST_SCALE'] === 'full' ? 30_000 : sessionTimeoutMs + 2_000;

describeWith(await kafkaNeeds(), 'brokers that are away', () => {
  let broker: KafkaBroker;

  beforeAll(async () => {
    broker = await startKafka();
  });

  afterAll(async () => {
    await broker.close();
  });

  test('run waits for them and says so; commands that people wait for end with a code', async () => {
    await withDirectory(async (directory) => {
      const port = await freePort();
      const file = await writeKafkaConfiguration(directory, { brokers: broker.brokers, namePrefix: 'start.', port });
      const stopped = await writeKafkaConfiguration(directory, { brokers: broker.brokers, namePrefix: 'stopped.' }, 'stopped');
      await createTopics(file);
      await appendRecords(file, notes('n', 3));
      await broker.kill();
      await withStarted([file, stopped], async ([run, other]) => {
        await other!.said('"msg":"waiting for the brokers"');
        other!.kill('SIGTERM');
        expect((await other!.finished).code).toBe(0);
        await run!.said('"msg":"waiting for the brokers"');
        expect(await healthAt(port)).toMatchObject({ status: 'not ready', reasons: ['starting', expect.stringMatching(/^waiting for the brokers: Could not connect to the brokers: .*ECONNREFUSED/)] });
        expect((await metricsAt(port)).get('labelstream_kafka_unavailable')).toBe(1);
        const commands = [['lag'], ['topics', 'check'], ['topics', 'create'], ['dlq', 'list'], ['groups', 'reset', '--topic', 'text.events', '--to', 'earliest'], ['forget', 's/1']];
        const ended = await Promise.all(commands.map((command) => runProgram(...command, '-c', file)));
        for (const { code, stderr } of ended) expect([code, stderr]).toEqual([1, expect.stringMatching(/^labelstream: Could not connect to the brokers: .*\[LS_KAFKA_UNREACHABLE\]/m)]);
        await broker.restart();
        await run!.said('"msg":"running"');
        await vi.waitUntil(async () => (await healthAt(port)).status === 'ready', { timeout: 60_000, interval: 200 });
        expect((await metricsAt(port)).get('labelstream_kafka_unavailable')).toBe(0);
        run!.kill('SIGTERM');
        const { code, stderr } = await run!.finished;
        expect(code).toBe(0);
        // Once, and not at every attempt.
        expect(jsonLines(stderr).filter(({ level }) => Number(level) >= 40).map(({ msg }) => msg)).toEqual(['waiting for the brokers', 'the brokers answer again']);
      });
      expect((await labelsOf(file)).map(({ itemId }) => itemId).sort()).toEqual(['s/n0', 's/n1', 's/n2']);
    });
  });

  const modes = (['kafkajs', 'platformatic'] as const).flatMap((producer) => (['exactly-once', 'at-least-once'] as const).map((delivery) => ({ producer, delivery })));

  test('an outage under load, in both modes and with both producers: everything is labelled afterwards, by the same processes', async () => {
    await withDirectory(async (directory) => {
      const programs = await Promise.all(
        modes.map(async ({ producer, delivery }) => {
          const port = await freePort();
          const name = `${producer}.${delivery}`;
          const file = await writeKafkaConfiguration(directory, { brokers: broker.brokers, namePrefix: `${name}.`, producer, delivery, port, more: 'output: { recordsMax: 20 }\n' }, name);
          await createTopics(file);
          return { file, port, name, delivery };
        }),
      );
      await withStarted(programs.map(({ file }) => file), async (runs) => {
        await Promise.all(runs.map((run) => run.said('"msg":"running"')));
        await Promise.all(programs.map(async ({ file }) => {
          await appendTexts(file, { a: 'river', b: 'river', c: 'river' });
          await appendRecords(file, notes('n', 1_500));
        }));
        await Promise.all(programs.map(({ port }) => vi.waitUntil(async () => ((await metricsAt(port)).get('labelstream_records_handled_total') ?? 0) > 20, { timeout: 60_000, interval: 20 })));
        await broker.kill();
        const before = await Promise.all(programs.map(({ port }) => metricsAt(port)));
        await delay(outageMs);
        const during = await Promise.all(programs.map(({ port }) => metricsAt(port)));
        for (const [index, { port, name }] of programs.entries()) {
          expect((await healthAt(port)).reasons, name).toEqual([expect.stringMatching(/^waiting for the brokers: /)]);
          const at = (metrics: ReadonlyMap<string, number>, metric: string): number => metrics.get(`labelstream_${metric}`) ?? 0;
          expect(at(during[index]!, 'kafka_unavailable'), name).toBe(1);
          expect(at(during[index]!, 'delivery_retries_total') - at(before[index]!, 'delivery_retries_total'), name).toBeGreaterThan(0);
          expect(at(during[index]!, 'in_flight_records'), name).toBeLessThanOrEqual(384);
        }
        await broker.restart();
        await Promise.all(programs.map(({ file }) => appendRecords(file, notes('m', 50))));
        await Promise.all(programs.map(({ port }) => vi.waitUntil(async () => (await metricsAt(port)).get('labelstream_lag_records') === 0, { timeout: 90_000, interval: 200 })));
        for (const run of runs) run.kill('SIGTERM');
        for (const [index, run] of runs.entries()) {
          const { code, stderr } = await run.finished;
          expect(code, `${programs[index]!.name}: ${stderr}`).toBe(0);
        }
      });
      for (const { file, name, delivery } of programs) {
        const labels = (await labelsOf(file)).filter((label) => !isAssignment(label));
        const ids = labels.map(({ id }) => Buffer.from(id).toString('hex'));
        expect(new Set(ids).size, name).toBe(1_550);
        if (delivery === 'exactly-once') expect(ids.length, name).toBe(1_550);
      }
    });
  });
});
