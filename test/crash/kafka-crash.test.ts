// Several instances of the real program on a real broker: killed, stopped past their sessions, cut off, while the broker itself is killed.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { allTopics, eventTopics } from '../../src/core/topics.ts';
import type { Delivery } from '../../src/pipeline/transport.ts';
import { describeWith, kafkaNeeds } from '../requirements.ts';
import { compareCluster, compareExtract, expectEveryStepAnswered } from './comparison.ts';
import { prepare, runProgram, stepsOf } from './crash-harness.ts';
import { count, strikeAll, struck, told, type Census, type FaultCounts, type Least } from './kafka-faults.ts';
import { openInstallation, partitionCount, startPublisher, untilConsumed, windowItems, type Installation } from './kafka-installation.ts';
import { copyInputs, readContents, readLog, type LogContents } from './log-contents.ts';

const full = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? Date.now() % 1_000_000);
const instanceCount = full ? 3 : 2;
const faults: Readonly<Record<Delivery, FaultCounts>> = full
  ? { 'exactly-once': { kills: 50, zombies: 6, brokerKills: 10, leaves: 6 }, 'at-least-once': { kills: 25, zombies: 6, brokerKills: 5, leaves: 6 } }
  : { 'exactly-once': { kills: 4, zombies: 1, brokerKills: 1, leaves: 1 }, 'at-least-once': { kills: 2, zombies: 1, brokerKills: 1, leaves: 1 } };
/** What must have been struck at least; the short version is too short for the rest. */
const least: Least = full
  ? { [struck.killsInFlight]: 10, [struck.insideARecord]: 1, [struck.zombies]: 5, [struck.zombiesInFlight]: 2, [struck.brokerKills]: 5, [struck.leaves]: 4, [struck.requestsHit]: 20 }
  : { [struck.killsInFlight]: 1, [struck.zombies]: 1, [struck.brokerKills]: 1, [struck.leaves]: 1, [struck.requestsHit]: 2 };
const leastOf: Readonly<Record<Delivery, Least>> = {
  'exactly-once': { ...least, [struck.endsLost]: full ? 8 : 1, ...(full ? { [struck.kills]: 50, [struck.brokerKills]: 10 } : {}) },
  'at-least-once': least,
};
const restored = { snapshots: 'states restored from a snapshot', log: 'states restored from the log alone', kept: 'states kept over a rebalance' } as const;
const consumedMsMax = full ? 240_000 : 120_000;
const timeoutMs = full ? 1_800_000 : 300_000;

/** For whoever looks into a failure. */
const keptDirectory = process.env['LABELSTREAM_TEST_KEEP'];

describeWith(await kafkaNeeds(), 'crashes over Kafka', () => {
  test.each(['exactly-once', 'at-least-once'] as const)(
    'nothing is lost and nothing invented: %s',
    async (delivery) => {
      console.log(`Kafka crash test ${delivery}: seed ${seed} (repeat with LABELSTREAM_TEST_SEED=${seed})`);
      const base = await mkdtemp(join(tmpdir(), 'labelstream-kafka-crash-'));
      const census: Census = new Map();
      try {
        const installation = await openInstallation(base, delivery, instanceCount, seededRandom(seed + 1));
        let contents: LogContents;
        try {
          contents = await disturb(installation, delivery, census);
        } finally {
          await installation.close();
          if (keptDirectory !== undefined) for (const { name, output } of installation.instances) await writeFile(join(keptDirectory, `${delivery}-${name}.log`), output());
        }
        console.log(`${delivery}: ${told(census)}`);
        await compare(contents, installation, delivery, join(base, 'undisturbed'));
        expectCensus(census, delivery);
      } finally {
        await rm(base, { recursive: true, force: true });
      }
    },
    timeoutMs,
  );
});

async function disturb(installation: Installation, delivery: Delivery, census: Census): Promise<LogContents> {
  const { instances, start, access } = installation;
  for (const instance of instances) await start(instance);
  await Promise.all(instances.map((instance) => instance.working(60_000)));
  const publisher = startPublisher(installation);
  try {
    await strikeAll({ installation, random: seededRandom(seed + (delivery === 'exactly-once' ? 2 : 3)), census, delivery }, faults[delivery], leastOf[delivery]);
  } finally {
    await publisher.stop();
  }
  await Promise.all(instances.map((instance) => instance.working(60_000)));
  await untilConsumed(installation, consumedMsMax);
  count(census, 'rounds published', publisher.rounds());
  count(census, 'publications refused', publisher.refused());
  for (const instance of instances) {
    count(census, 'rebalances of the last lives', (await instance.metric('labelstream_kafka_rebalances_total')) ?? 0);
    count(census, 'transactions failed in the last lives', (await instance.metric('labelstream_kafka_transactions_total', 'outcome="failed"')) ?? 0);
    for (const [, kept, snapshot] of instance.output().matchAll(/"kept":(\w+),"snapshotSequence":"(\w+)".*"msg":"state restored"/g)) {
      count(census, kept === 'true' ? restored.kept : snapshot === 'none' ? restored.log : restored.snapshots);
    }
  }
  for (const instance of instances) await instance.leave();
  return readContents(access.transport, allTopics);
}

async function compare(contents: LogContents, { harness: { codec } }: Installation, delivery: Delivery, directory: string): Promise<void> {
  for (const topic of eventTopics) {
    for (const [partition, records] of (contents.records.get(topic) ?? []).entries()) {
      const misplaced = records.find(({ sequence }, index) => sequence !== BigInt(index));
      expect(misplaced?.sequence, `${topic}-${partition} is not what a copy of it would be`).toBeUndefined();
    }
  }
  const undisturbed = await prepare(directory, { delivery, holdMsMax: 600_000, partitionCount, windowItems });
  // What was parked is an output, too: this run would read it twice.
  await copyInputs(contents, eventTopics, directory);
  expect(await runProgram(undisturbed, undefined)).toMatchObject({ how: 'idle' });
  const reference = await readLog(directory, allTopics);
  expectEveryStepAnswered(contents, codec, (record) => stepsOf(codec, record));
  const extract = compareExtract(contents, reference, codec, delivery);
  const cluster = await compareCluster(contents, codec, delivery);
  console.log(
    `${delivery}: ${extract.labels} labels and ${extract.features} features of EXTRACT (${extract.parkedFeatures} of parked records), ${extract.repeats} repeated; ` +
      `${cluster.outputs} outputs of CLUSTER, ${cluster.repeats} repeated`,
  );
  expect(Math.min(extract.labels, extract.features, cluster.outputs)).toBeGreaterThan(100);
}

function expectCensus(census: Census, delivery: Delivery): void {
  for (const [what, times] of Object.entries(leastOf[delivery])) expect(census.get(what) ?? 0, what).toBeGreaterThanOrEqual(times);
  expect(census.get(restored.snapshots) ?? 0, restored.snapshots).toBeGreaterThanOrEqual(1);
  if (full) expect(census.get(restored.kept) ?? 0, restored.kept).toBeGreaterThanOrEqual(1);
}
