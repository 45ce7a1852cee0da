// Topics that are not, or are no longer, what the program needs: each ends in a message that names it, and nothing is lost or passed over in silence.
import { ConfigResourceTypes, Kafka, logLevel, type Admin } from 'kafkajs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { allTopics, topics } from '../../src/core/topics.ts';
import { sharedBrokers } from '../brokers/shared-broker.ts';
import { describeWith, kafkaNeeds } from '../requirements.ts';
import { objects, succeed, topicContents, withLog } from '../cli/fixtures.ts';
import { appendRecords, appendTexts, recordsIn } from '../cli/log-access.ts';
import { createTopics, isAssignment, labelsOf, notes, withStarted, writeKafkaConfiguration, type KafkaSettings } from './kafka-program.ts';
import { runProgram, withDirectory, type RunningProgram } from './program.ts';

vi.setConfig({ testTimeout: 240_000 });

describeWith(await kafkaNeeds(), 'topics on a broker', () => {
  let admin: Admin;

  beforeAll(async () => {
    admin = new Kafka({ brokers: [sharedBrokers()], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
  });

  afterAll(async () => {
    await admin.disconnect();
  });

  /** An installation of its own, with its topics. */
  async function withInstallation(name: string, use: (file: string, prefix: string) => Promise<void>, settings: Partial<KafkaSettings> = {}): Promise<void> {
    await withDirectory(async (directory) => {
      const file = await writeKafkaConfiguration(directory, { brokers: sharedBrokers(), namePrefix: `${name}.`, ...settings });
      await createTopics(file);
      await use(file, `${name}.`);
    });
  }

  const alter = async (topic: string, name: string, value: string): Promise<void> => {
    await admin.alterConfigs({ validateOnly: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name: 'message.timestamp.type', value: 'LogAppendTime' }, { name, value }] }] });
  };
  /** How a run ended that was not told to. */
  const ended = async (run: RunningProgram): Promise<string> => {
    const { code, stderr } = await run.finished;
    expect(code, stderr).toBe(1);
    return stderr.slice(stderr.lastIndexOf('\nlabelstream: ') + 1);
  };
  const itemsOf = async (file: string): Promise<readonly string[]> => (await labelsOf(file)).filter((label) => !isAssignment(label)).map(({ itemId }) => itemId).sort();

  const featuresOf = async (file: string): Promise<readonly string[]> => {
    const records = await recordsIn(file, topics.features);
    return withLog(file, ({ codec }) => Promise.resolve(records.flatMap(({ value }) => (codec.peekSchema(value) === 'FeatureEvent' ? [codec.decodeAs('FeatureEvent', value).itemId] : []))));
  };

  test('that are missing at the start are named, all of them', async () => {
    await withDirectory(async (directory) => {
      const file = await writeKafkaConfiguration(directory, { brokers: sharedBrokers(), namePrefix: 'missing.' });
      const { code, stderr } = await runProgram('run', '-c', file);
      expect(code).toBe(78);
      expect(stderr).toContain('[LS_TRANSPORT_TOPIC_SETTINGS]');
      for (const topic of allTopics) expect(stderr).toContain(`\n  ${topic}: topic: the topic does not exist`);
      expect(stderr).toContain('labelstream topics create');
    });
  });

  test('one that is deleted while run works stops it, an output or an input; made anew, its records are others', async () => {
    await withInstallation('deleted', async (file, prefix) => {
      await withStarted([file], async ([run]) => {
        await run!.said('"msg":"running"');
        await admin.deleteTopics({ topics: [prefix + topics.labels] });
        await appendRecords(file, notes('a', 2));
        expect(await ended(run!)).toMatch(/^labelstream: .*"deleted\.labels".*\[LS_TRANSPORT_TOPIC_MISSING\]/);
      });
      const again = await runProgram('run', '-c', file);
      expect([again.code, again.stderr]).toEqual([78, expect.stringMatching(/\n {2}labels: topic: the topic does not exist/)]);
      await createTopics(file);
      await withStarted([file], async ([run]) => {
        // What had not been labelled is, once the topic is there again.
        await vi.waitUntil(async () => (await itemsOf(file)).length === 2, { timeout: 60_000, interval: 200 });
        await admin.deleteTopics({ topics: [prefix + topics.record] });
        await createTopics(file);
        expect(await ended(run!)).toMatch(/deleted\.record\.events.*\[LS_TRANSPORT_(POSITION_LOST|TOPIC_MISSING)\]/);
      });
      await appendRecords(file, notes('b', 1));
      await succeed('run', '--until-idle', '-c', file);
      expect(await itemsOf(file)).toEqual(['s/a0', 's/a1', 's/b0']);
    });
  });

  test('one whose limit is lowered below what the configuration allows stops run at the output that is too large, and nothing is lost', async () => {
    await withInstallation('lowered', async (file, prefix) => {
      await withStarted([file], async ([run]) => {
        await run!.said('"msg":"running"');
        await alter(prefix + topics.labels, 'max.message.bytes', '100');
        await appendRecords(file, notes('a', 3));
        expect(await ended(run!)).toMatch(/^labelstream: .*"lowered\.labels".*\[LS_TRANSPORT_RECORD_TOO_LARGE\]/);
      });
      const again = await runProgram('run', '-c', file);
      expect([again.code, again.stderr]).toEqual([78, expect.stringMatching(/labels: max\.message\.bytes: 100, where/)]);
      await alter(prefix + topics.labels, 'max.message.bytes', '2000000');
      await succeed('run', '--until-idle', '-c', file);
      expect(await itemsOf(file)).toEqual(['s/a0', 's/a1', 's/a2']);
      expect(await topicContents(file, topics.deadLetters)).toEqual([]);
    }, { delivery: 'exactly-once' });
  });

  test('an output that is too large by the configuration is replaced by a dead letter, and the others go on', async () => {
    const long = 'i'.repeat(300);
    await withInstallation('large', async (file) => {
      await appendTexts(file, { a: 'river', [long]: 'The river is as long as its name.' });
      await succeed('run', '--until-idle', '-c', file);
      expect(await objects('dlq', 'list', '-c', file)).toMatchObject([{ code: 'LS_EXTRACT_OUTPUT_TOO_LARGE' }]);
      expect(await featuresOf(file)).toEqual(['s/a']);
    }, { transport: 'recordBytesMax: 1024', encoder: 'MODELS/static-text-encoder' });
  });

  test('retention that outran processing stops run with the gap; an operator accepts it, and nothing else is left out', async () => {
    await withInstallation('expired', async (file, prefix) => {
      await appendRecords(file, notes('a', 5));
      await succeed('run', '--until-idle', '-c', file);
      await appendRecords(file, notes('b', 10));
      await appendTexts(file, { t: 'river' });
      await admin.fetchTopicMetadata({ topics: [prefix + topics.record] });
      await admin.deleteTopicRecords({ topic: prefix + topics.record, partitions: [{ partition: 0, offset: '9' }] });
      const stopped = await runProgram('run', '-c', file);
      expect([stopped.code, stopped.stderr]).toEqual([1, expect.stringMatching(/^labelstream: Partition 0 of expired\.record\.events holds the offsets 9 to before 15; the position to read from is 5\. \[LS_TRANSPORT_POSITION_LOST\]/m)]);
      expect(stopped.stderr).toContain('labelstream groups reset');
      expect((await objects('lag', '-c', file)).find(({ topic }) => topic === topics.record)).toMatchObject({ positionLost: true });
      expect((await runProgram('run', '-c', file)).code).toBe(1);
      const reset = ['groups', 'reset', '--topic', topics.record, '--to', 'earliest', '-c', file];
      expect(await objects(...reset)).toMatchObject([{ before: 5, next: 9 }]);
      await succeed('run', '--until-idle', '-c', file);
      expect(await itemsOf(file)).toEqual([...Array.from({ length: 5 }, (_, index) => `s/a${index}`), ...Array.from({ length: 6 }, (_, index) => `s/b${index + 4}`)]);
      expect(await featuresOf(file)).toEqual(['s/t']);
    });
  });
});
