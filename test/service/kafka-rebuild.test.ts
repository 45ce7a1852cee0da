/** A features log that a broker has cut off while the snapshots are gone: `run --rebuild-from-truncated-log` goes on with what is left (SEMANTICS.md, rule 17). */
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { expect, test } from 'vitest';
import { createClusterResolver } from '../../src/clustering/alias-resolver.ts';
import { clustersOf } from '../../src/clusters-of.ts';
import { topics } from '../../src/core/topics.ts';
import { sharedBrokers } from '../brokers/shared-broker.ts';
import { describeWith, kafkaNeeds } from '../requirements.ts';
import { succeed, withLog } from '../cli/fixtures.ts';
import { appendTexts, recordsIn } from '../cli/log-access.ts';
import { createTopics, withStarted, writeKafkaConfiguration } from './kafka-program.ts';
import { runProgram, withDirectory } from './program.ts';

const itemCount = 40;
const cutAt = 21;
const namePrefix = 'rebuilt.';

describeWith(await kafkaNeeds(), 'a truncated features log over Kafka', () => {
  test('begins anew, but not beside a living member; consumers are told', { timeout: 300_000 }, async () => {
    await withDirectory(async (directory) => {
      const file = await writeKafkaConfiguration(directory, { brokers: sharedBrokers(), namePrefix, delivery: 'exactly-once' });
      await createTopics(file);
      const ids = Array.from({ length: itemCount }, (_, index) => `i${String(index)}`);
      const texts = Object.fromEntries(ids.map((id, index) => [id, index % 2 === 0 ? 'oak' : 'elm']));
      await appendTexts(file, texts);
      await succeed('run', '-c', file, '--until-idle');

      const rebuild = ['run', '-c', file, '--until-idle', '--rebuild-from-truncated-log'] as const;
      await withStarted([file], async ([living]) => {
        await living!.said('"msg":"running"');
        await rm(join(dirname(file), 'data', 'state'), { recursive: true, force: true });
        await cutFeatures();
        expect((await runProgram(...rebuild)).stderr).toContain('LS_TRANSPORT_GROUP_ACTIVE');
        living!.kill('SIGTERM');
        await living!.finished;
      });
      // With a snapshot that it may have left at its end nothing would be lost.
      await rm(join(dirname(file), 'data', 'state'), { recursive: true, force: true });

      const stopped = await runProgram('run', '-c', file, '--until-idle');
      expect([stopped.code, stopped.stderr]).toEqual([1, expect.stringContaining('LS_STATE_LOG_TRUNCATED') as string]);
      const begun = await succeed(...rebuild);
      expect(begun.stderr).toMatch(new RegExp(`"sequence":"${String(cutAt)}","epoch":${String(cutAt + 1)},"resets":1,"msg":"a features log begins anew`));
      await succeed('run', '-c', file, '--until-idle');

      const resolver = createClusterResolver();
      const [labels, clusterEvents] = [await recordsIn(file, topics.labels), await recordsIn(file, topics.clusterEvents)];
      const places = await withLog(file, async (access) => {
        for (const { value } of labels) resolver.applyLabel(access.codec.decodeAs('LabelEvent', value));
        for (const { value } of clusterEvents) resolver.applyClusterEvent(access.codec.decodeAs('ClusterEvent', value));
        const view = await clustersOf(access, new AbortController().signal);
        return new Map(ids.flatMap((id) => view.item(`s/${id}`).value.map(({ itemId, clusterId }) => [itemId, clusterId] as const)));
      });
      expect(new Map(resolver.items().map(({ itemId, clusterId }) => [itemId, clusterId]))).toEqual(places);
      expect(places.size).toBeGreaterThan(0);
      expect(places.size).toBeLessThan(itemCount);
      expect(new Set(places.values()).size).toBe(2);
    });
  });
});

/** As retention does. */
async function cutFeatures(): Promise<void> {
  const admin = new Kafka({ brokers: [sharedBrokers()], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    await admin.fetchTopicMetadata({ topics: [namePrefix + topics.features] });
    await admin.deleteTopicRecords({ topic: namePrefix + topics.features, partitions: [{ partition: 0, offset: String(cutAt) }] });
  } finally {
    await admin.disconnect();
  }
}
