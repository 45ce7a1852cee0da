// Events and administration by HTTP over a broker: nothing is claimed while it is away, and what one instance is told holds for the others.
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startKafka, type KafkaBroker } from '../brokers/kafka-broker.ts';
import { withLog } from '../cli/fixtures.ts';
import { describeWith, kafkaNeeds } from '../requirements.ts';
import { createTopics, freePort, labelsOf, writeKafkaConfiguration } from './kafka-program.ts';
import { startProgram, withDirectory, type RunningProgram } from './program.ts';

vi.setConfig({ testTimeout: 240_000 });

type Answer = { readonly status: number; readonly body: Record<string, unknown> };
type Instance = { readonly run: RunningProgram; readonly ask: (method: string, path: string, body?: unknown) => Promise<Answer> };

const note = { variance: 3.6216, skewness: 8.6661, curtosis: -2.8073, entropy: -0.44699 };
const notesNamed = (prefix: string, count: number) => ({ events: Array.from({ length: count }, (_, index) => ({ id: `${prefix}${index}`, source: 's', values: note })) });

async function start(file: string, ...more: readonly string[]): Promise<Instance> {
  const port = await freePort();
  const run = startProgram(['run', '-c', file, '--set', 'server.enabled=true', '--set', `server.port=${port}`, ...more]);
  await run.said('"msg":"running"');
  return {
    run,
    ask: async (method, path, body) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }) });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    },
  };
}

async function end(...instances: readonly Instance[]): Promise<void> {
  for (const { run } of instances) run.kill('SIGKILL');
  await Promise.all(instances.map(({ run }) => run.finished));
}

const itemsOf = async (file: string): Promise<ReadonlySet<string>> => new Set((await labelsOf(file)).map(({ itemId }) => itemId));

describeWith(await kafkaNeeds(), 'HTTP over a broker', () => {
  let broker: KafkaBroker;

  beforeAll(async () => {
    broker = await startKafka();
  });

  afterAll(async () => {
    await broker.close();
  });

  test('an input that one instance is told to pause is read by none, and what is said to the clusters is folded where its answer says', async () => {
    await withDirectory(async (directory) => {
      const file = await writeKafkaConfiguration(directory, { brokers: broker.brokers, namePrefix: 'pause.', delivery: 'exactly-once' });
      await createTopics(file);
      const [first, second] = await Promise.all([start(file), start(file)]);
      try {
        expect((await first.ask('POST', '/inputs/record.events/pause')).status).toBe(202);
        await expect.poll(async () => (await second.ask('GET', '/inputs')).body['version'], { timeout: 10_000 }).toBe('1');
        expect((await second.ask('POST', '/events/records', notesNamed('n', 20))).status).toBe(202);
        expect((await first.ask('POST', '/events/text', { events: ['1', '2', '3'].map((id) => ({ id, source: 's', text: 'river' })) })).status).toBe(202);
        await expect.poll(async () => (await itemsOf(file)).size, { timeout: 60_000, interval: 500 }).toBe(3);
        expect([...(await itemsOf(file))].sort()).toEqual(['s/1', 's/2', 's/3']);

        const forgotten = await second.ask('POST', '/items/forget', { items: ['s/1'] });
        expect(forgotten).toMatchObject({ status: 202, body: { inCollections: ['s/1'], waitFor: [{ topic: 'features', partition: 0 }] } });
        const [{ sequence = '' } = {}] = forgotten.body['waitFor'] as { sequence?: string }[];
        await withLog(file, async ({ transport, configuration }) => {
          const committed = async (): Promise<bigint> => (await transport.committed(`${configuration.group}-cluster`, { topic: 'features', partition: 0 }))?.sequence ?? -1n;
          await expect.poll(committed, { timeout: 60_000 }).toBeGreaterThanOrEqual(BigInt(sequence));
        });

        expect((await second.ask('POST', '/inputs/record.events/resume')).status).toBe(202);
        await expect.poll(async () => (await itemsOf(file)).size, { timeout: 60_000, interval: 500 }).toBe(23);
      } finally {
        await end(first, second);
      }
    });
  });

  test('while the broker is away nothing is acknowledged: the answer comes in time, and says to try again', async () => {
    await withDirectory(async (directory) => {
      const file = await writeKafkaConfiguration(directory, { brokers: broker.brokers, namePrefix: 'away.' });
      await createTopics(file);
      const instance = await start(file, '--set', 'server.answerMsMax=4000');
      const { ask } = instance;
      try {
        expect((await ask('POST', '/events/records', notesNamed('before', 5))).status).toBe(202);
        await broker.kill();
        const answers = await Promise.all([ask('POST', '/events/records', notesNamed('during', 5)), ask('PUT', '/collections/texts/parameters', { eps: 0.2 }), ask('GET', '/dead-letters')]);
        for (const { status, body } of answers) expect([status, body['code']]).toEqual([expect.toBeOneOf([503, 504]), expect.stringMatching(/^LS_(KAFKA|SERVER_TIME|TRANSPORT)/)]);
        await broker.restart();
        await expect.poll(async () => (await ask('POST', '/events/records', notesNamed('during', 5))).status, { timeout: 60_000, interval: 500 }).toBe(202);
        await expect.poll(async () => (await itemsOf(file)).size, { timeout: 60_000, interval: 500 }).toBe(10);
      } finally {
        await end(instance);
      }
    });
  });
});
