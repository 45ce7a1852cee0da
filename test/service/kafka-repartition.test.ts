/** `topics repartition` on a broker, by the real program, killed on its way: the topic is deleted there and made anew with its settings. */
import kafkajs, { Kafka, logLevel } from 'kafkajs';
import { expect, test } from 'vitest';
import { topics } from '../../src/core/topics.ts';
import { sharedBrokers } from '../brokers/shared-broker.ts';
import { describeWith, kafkaNeeds } from '../requirements.ts';
import { objects, withRun } from '../cli/fixtures.ts';
import { runProgram, withDirectory } from './program.ts';
import { repartitionUpAndDown, writeFamilies } from './repartition-program.ts';

const soon = 'sessionTimeoutMs: 6000, rebalanceTimeoutMs: 6000, heartbeatIntervalMs: 500, requestTimeoutMs: 3000, transactionTimeoutMs: 10000';

describeWith(await kafkaNeeds(), 'features over Kafka', () => {
  test('gets another number of partitions, whenever the program is killed; clusters keep their ids, the topic its settings', { timeout: 900_000 }, async () => {
    await withDirectory(async (directory) => {
      const namePrefix = 'recounted.';
      const file = await writeFamilies(directory, `kind: kafka, brokers: ["${sharedBrokers()}"], namePrefix: "${namePrefix}", partitionCount: 1, ${soon}`);
      const name = namePrefix + topics.features;
      const { interrupted } = await repartitionUpAndDown({
        file,
        delaysMs: [0, 30, 120, 300],
        between: async () => {
          const own = await settingsOf(name);
          expect(own).toMatchObject({ 'message.timestamp.type': 'LogAppendTime' });
        },
      });
      expect(interrupted).toBeGreaterThan(0);
    });
  });

  test('not beside a live run, and with the settings that the topic has for itself', { timeout: 200_000 }, async () => {
    await withDirectory(async (directory) => {
      const namePrefix = 'settled.';
      const file = await writeFamilies(directory, `kind: kafka, brokers: ["${sharedBrokers()}"], namePrefix: "${namePrefix}", partitionCount: 1, ${soon}`);
      expect((await runProgram('topics', 'create', '-c', file)).code).toBe(0);
      const name = namePrefix + topics.features;
      await alter(name, 'retention.ms', '987654321');
      const command = ['topics', 'repartition', '--one-host', '-c', file, '--set', 'transport.featuresPartitionCount=2'] as const;
      await withRun(file, async (run) => {
        const refused = await runProgram(...command);
        expect([refused.code === 0, refused.stderr]).toEqual([false, expect.stringContaining('LS_TRANSPORT_GROUP_ACTIVE') as string]);
        const [outlook] = await objects(...command, '--dry-run');
        expect(outlook).toMatchObject({ activeGroups: ['labelstream-extract', 'labelstream-cluster'], oneHostNeeded: false });
        const [topics, repartition, , ...rest] = command;
        const told = await runProgram(topics, repartition, '--dry-run', ...rest);
        expect([told.code, told.stdout.match(/^in the way: .*/gm)]).toEqual([0, [expect.stringContaining('group labelstream-extract has members'), expect.stringContaining('group labelstream-cluster has members'), expect.stringContaining('--one-host')]]);
        run.kill('SIGTERM');
        await run.finished;
      });
      const done = await runProgram(...command);
      expect([done.code, done.stderr]).toEqual([0, expect.stringContaining('the topic features has its new partitions\n') as string]);
      expect(await settingsOf(name)).toEqual({ 'message.timestamp.type': 'LogAppendTime', 'retention.ms': '987654321' });
    });
  });
});

async function settingsOf(topic: string): Promise<Readonly<Record<string, string>>> {
  return withAdmin(async (admin) => {
    const { resources } = await admin.describeConfigs({ resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }], includeSynonyms: false });
    return Object.fromEntries(resources[0]!.configEntries.filter(({ configSource }) => configSource === kafkajs.ConfigSource.TOPIC_CONFIG).map(({ configName, configValue }) => [configName, configValue]));
  });
}

async function alter(topic: string, name: string, value: string): Promise<void> {
  const own = await settingsOf(topic);
  const configEntries = Object.entries({ ...own, [name]: value }).map(([entry, text]) => ({ name: entry, value: text }));
  await withAdmin((admin) => admin.alterConfigs({ validateOnly: false, resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries }] }));
}

async function withAdmin<Result>(use: (admin: ReturnType<Kafka['admin']>) => Promise<Result>): Promise<Result> {
  const admin = new Kafka({ brokers: [sharedBrokers()], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}
