import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BlobServiceClient } from '@azure/storage-blob';
import { afterAll, afterEach, beforeAll, beforeEach, describe } from 'vitest';
import { createDirectoryStateStore } from '../../src/pipeline/directory-state-store.ts';
import { createNodeFileSystem } from '../../src/pipeline/node-file-system.ts';
import { systemClock } from '../../src/pipeline/system-clock.ts';
import { openAzureContainer } from '../../src/stores/azure-container.ts';
import type { BlobContainer } from '../../src/stores/blob-container.ts';
import { createBlobStateStore } from '../../src/stores/blob-state-store.ts';
import { describeWith } from '../requirements.ts';
import { azuriteNeeds, startAzurite, type Azurite } from '../stores/azurite.ts';
import { createMemoryContainer } from '../stores/memory-container.ts';
import { testStateStore, type StateStoreHarness } from './state-store-conformance.ts';

describe('snapshots in a directory', () => {
  let directory = '';
  const corrupted: Error[] = [];
  const leaf = (): string => join(directory, 'state', 'cluster', 'features-a%2Fb', '2');
  const harness: StateStoreHarness = {
    open: () => createDirectoryStateStore({ directory: join(directory, 'state'), fileSystem: createNodeFileSystem(), snapshotCorrupt: (error) => corrupted.push(error) }),
    corrupted,
    names: () => readdir(leaf()),
    pathOf: (name) => join(leaf(), name),
    read: (name) => readFile(join(leaf(), name)),
    replace: (name, bytes) => writeFile(join(leaf(), name), bytes),
  };
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'labelstream-state-'));
    corrupted.length = 0;
  });
  afterEach(() => rm(directory, { recursive: true }));
  testStateStore(() => harness, { damagedEvery: 1 });
});

const leafName = 'some/where/cluster/features-a%2Fb/2/';

function blobHarness(container: BlobContainer, containerName: string, blobs: Pick<StateStoreHarness, 'read' | 'replace'>): StateStoreHarness {
  const corrupted: Error[] = [];
  const signal = new AbortController().signal;
  return {
    open: () =>
      createBlobStateStore({ container, prefix: 'some/where/', clock: systemClock, random: Math.random, signal, snapshotCorrupt: (error) => corrupted.push(error) }),
    corrupted,
    names: async () => (await container.list(leafName, signal)).map(({ name }) => name.slice(leafName.length)),
    pathOf: (name) => `${containerName}/${leafName}${name}`,
    ...blobs,
  };
}

describe('snapshots in a container, by its rules alone', () => {
  let harness: StateStoreHarness;
  beforeEach(() => {
    const container = createMemoryContainer();
    harness = blobHarness(container, 'snapshots', {
      read: (name) => Promise.resolve(container.blobs.get(leafName + name)?.bytes ?? Buffer.alloc(0)),
      replace: (name, bytes) => {
        container.put(leafName + name, bytes);
        return Promise.resolve();
      },
    });
  });
  testStateStore(() => harness, { damagedEvery: 1 });
});

describeWith(await azuriteNeeds(), 'snapshots in a container of Azurite', () => {
  let azurite: Azurite;
  let harness: StateStoreHarness;
  beforeAll(async () => {
    azurite = await startAzurite(randomBytes(32).toString('base64'));
  }, 60_000);
  afterAll(() => azurite.close());
  beforeEach(async () => {
    const containerName = `snapshots-${randomUUID()}`;
    const client = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient(containerName);
    await client.create();
    harness = blobHarness(await openAzureContainer({ connectionString: azurite.connectionString, container: containerName }), containerName, {
      read: (name) => client.getBlobClient(leafName + name).downloadToBuffer(),
      replace: async (name, bytes) => {
        await client.getBlockBlobClient(leafName + name).upload(bytes, bytes.length);
      },
    });
  });
  testStateStore(() => harness, { damagedEvery: 23 });
});
