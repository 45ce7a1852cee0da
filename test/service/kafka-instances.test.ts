/**
 * Several instances on one Kafka: partitions move while labels go on, one that is killed is replaced, an empty disk is filled from the snapshots, and
 * whoever asks meanwhile gets the same clusters.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BlobServiceClient } from '@azure/storage-blob';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Access } from '../../src/open-access.ts';
import { allTopics, topics } from '../../src/core/topics.ts';
import type { Delivery } from '../../src/pipeline/transport.ts';
import { sharedBrokers } from '../brokers/shared-broker.ts';
import { describeWith, kafkaNeeds } from '../requirements.ts';
import { objects, withLog, writeEncoder } from '../cli/fixtures.ts';
import { appendTexts, extractedLabels, recordsIn } from '../cli/log-access.ts';
import { compareCluster } from '../crash/comparison.ts';
import { readContents } from '../crash/log-contents.ts';
import { azuriteNeeds, startAzurite, type Azurite } from '../stores/azurite.ts';
import { startProgram, withDirectory, writeConfiguration, type RunningProgram } from './program.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 300_000 });

const partitionCount = 2;
const publishEveryMs = 100;
/** Equal texts are equal vectors: two clusters, and what is alone. */
const textOf = (index: number): string => (index % 5 === 4 ? `alone ${index}` : index % 2 === 0 ? 'red' : 'blue');

type Setup = { readonly name: string; readonly delivery: Delivery; readonly brokers: string; readonly state: string; readonly dataDirectory: string };

function configuration({ name, delivery, brokers, state, dataDirectory }: Setup): string {
  return `
dataDirectory: ${dataDirectory}
server: { enabled: false }
delivery: ${delivery}
transport:
  kind: kafka
  brokers: ["${brokers}"]
  namePrefix: ${name}.
  partitionCount: ${partitionCount}
  sessionTimeoutMs: 3000
  requestTimeoutMs: 2900
  rebalanceTimeoutMs: 10000
  heartbeatIntervalMs: 300
state: ${state}
cluster: { snapshotRecords: 5 }
models:
  encoder: { directory: encoder }
  topics: { directory: MODELS/topic-classifier }
routes:
  - name: texts
    from: text
    steps:
      - { name: topic, task: text-classification, model: topics }
      - { name: embed, task: text-features, model: encoder, collection: texts }
      - { name: again, task: text-features, model: encoder, collection: others }
collections:
  - { name: texts, eps: 0.05, minPoints: 3 }
  - { name: others, eps: 0.05, minPoints: 3 }
`;
}

/** Publishes all the time. */
function startPublishing(file: string): { readonly count: () => number; readonly stop: () => Promise<void> } {
  let count = 0;
  let stopped = false;
  const goesOn = (): boolean => !stopped;
  const publishing = (async () => {
    while (goesOn()) {
      await appendTexts(file, { [`t${count}`]: textOf(count) });
      count += 1;
      await delay(publishEveryMs);
    }
  })();
  return {
    count: () => count,
    stop: async () => {
      stopped = true;
      await publishing;
    },
  };
}

type Told = { readonly id: string; readonly collection: string; readonly size: number; readonly heldAt: readonly { readonly partition: number; readonly sequence?: number }[] };

/** From a process of its own. */
async function clustersToldTo(file: string): Promise<readonly Told[]> {
  return (await objects('clusters', 'list', '-c', file)) as unknown as readonly Told[];
}

const idsOf = (told: readonly Told[]): readonly string[] => told.map(({ collection, id }) => `${collection} ${id}`).sort();

/** How long a text waited for its first label, from append to append, at most. */
async function longestWaitMs(file: string): Promise<number> {
  const labels = await recordsIn(file, topics.labels);
  return withLog(file, ({ codec }) => {
    const waits = new Map<string, number>();
    for (const { value, appendTimeMs } of labels) {
      const { id, origin, result } = codec.decodeAs('LabelEvent', value);
      if (!('labelstream.v1.Assignment' in result) && !waits.has(id)) waits.set(id, appendTimeMs - origin.appendTime);
    }
    return Promise.resolve(Math.max(...waits.values()));
  });
}

async function untilLabelled(file: string, count: number): Promise<void> {
  await vi.waitUntil(async () => new Set((await extractedLabels(file)).map(({ itemId }) => itemId)).size >= count, { timeout: 90_000, interval: 300 });
}

describeWith({ ...(await kafkaNeeds()), ...(await azuriteNeeds()) }, 'instances over Kafka', () => {
  let azurite: Azurite;
  const running = new Set<RunningProgram>();
  beforeAll(async () => {
    azurite = await startAzurite(randomBytes(32).toString('base64'));
    await BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient('state').create();
  }, 120_000);
  afterAll(async () => {
    for (const program of running) program.kill('SIGKILL');
    await azurite.close();
  });

  const start = async (file: string): Promise<RunningProgram> => {
    const program = startProgram(['run', '-c', file]);
    running.add(program);
    void program.finished.then(() => running.delete(program));
    await program.said('"msg":"running"');
    return program;
  };
  const comparedWithOffline = (file: string, delivery: Delivery): Promise<unknown> =>
    withLog(file, async ({ transport, codec }: Access) => compareCluster(await readContents(transport, allTopics), codec, delivery));

  test.each([
    { store: 'a shared directory', delivery: 'exactly-once' },
    { store: 'a blob container', delivery: 'at-least-once' },
  ] as const)('state in $store, $delivery: labels go on while partitions move, and identities outlive their instances', async ({ store, delivery }) => {
    await withDirectory(async (directory) => {
      const inBlobs = store === 'a blob container';
      const state = inBlobs ? `{ kind: blob, connectionString: "${azurite.connectionString}", container: state, prefix: instances }` : '{ kind: directory }';
      const fileOf = async (instance: string): Promise<string> => {
        await mkdir(join(directory, instance));
        await writeEncoder(join(directory, instance));
        const dataDirectory = join(directory, inBlobs ? `${instance}-data` : 'data');
        return writeConfiguration(join(directory, instance), configuration({ name: inBlobs ? 'blobs' : 'files', delivery, brokers: sharedBrokers(), state, dataDirectory }));
      };
      const [fileA, fileB, fileC] = [await fileOf('a'), await fileOf('b'), await fileOf('c')];
      await withLog(fileC, ({ transport }) => transport.createTopics(allTopics.map((topic) => ({ topic, partitionCount }))));

      const a = await start(fileA);
      const publishing = startPublishing(fileC);
      await untilLabelled(fileC, 15);
      await vi.waitUntil(async () => (await clustersToldTo(fileC)).length === 4, { timeout: 60_000 });
      const atFirst = await clustersToldTo(fileC);
      const b = await start(fileB);
      // One of the partitions of `features` is its own now.
      await b.said('"msg":"state restored"');
      await untilLabelled(fileC, publishing.count() + 10);
      const waitBesideRebalanceMs = await longestWaitMs(fileC);

      const whileBothRun = await clustersToldTo(fileC);
      expect(idsOf(whileBothRun)).toEqual(idsOf(atFirst));
      for (const { heldAt } of whileBothRun) expect(heldAt.map(({ partition }) => partition)).toEqual([0, 1]);
      const sequences = (told: readonly Told[]): number => told[0]!.heldAt.reduce((sum, { sequence }) => sum + (sequence ?? 0), 0);
      expect(sequences(whileBothRun)).toBeGreaterThan(sequences(atFirst));

      a.kill('SIGKILL');
      await a.finished;
      await untilLabelled(fileC, publishing.count() + 10);
      console.log(`${store}: longest wait for a label, ms: ${waitBesideRebalanceMs} when an instance came, ${await longestWaitMs(fileC)} when one was killed`);
      await publishing.stop();
      await untilLabelled(fileC, publishing.count());
      const labels = await extractedLabels(fileC);
      expect(new Set(labels.map(({ itemId }) => itemId)).size).toBe(publishing.count());
      const distinct = new Set(labels.map(({ id }) => id)).size;
      expect(delivery === 'exactly-once' ? labels.length : distinct).toBe(publishing.count());
      expect(idsOf(await clustersToldTo(fileC))).toEqual(idsOf(atFirst));

      b.kill('SIGTERM');
      expect((await b.finished).code).toBe(0);
      // What a new machine has: nothing, except where the directory of snapshots is mounted.
      const data = join(directory, inBlobs ? 'b-data' : 'data');
      for (const entry of await readdir(data).catch(() => [])) if (inBlobs || entry !== 'state') await rm(join(data, entry), { recursive: true });
      const again = await start(fileB);
      await again.said('"msg":"state restored"');
      await appendTexts(fileC, { last0: 'red', last1: 'blue' });
      await untilLabelled(fileC, publishing.count() + 2);
      again.kill('SIGTERM');
      expect((await again.finished).code).toBe(0);
      const atLast = await clustersToldTo(fileC);
      expect(idsOf(atLast)).toEqual(idsOf(atFirst));
      const inClusters = Array.from({ length: publishing.count() }, (_, index) => textOf(index)).filter((text) => text === 'red' || text === 'blue').length;
      for (const collection of ['texts', 'others']) expect(atLast.filter((told) => told.collection === collection).reduce((sum, { size }) => sum + size, 0), collection).toBe(inClusters + 2);
      console.log(`${store}: ${publishing.count() + 2} texts; against an offline fold: ${JSON.stringify(await comparedWithOffline(fileC, delivery))}`);
    });
  });
});
