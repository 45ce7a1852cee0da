import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogStore } from '../../src/transports/log/log-store.ts';
import { createLogTransport } from '../../src/transports/log/log-transport.ts';
import { defaultLogLimits, openSegmentLogStore, type SegmentLogStore } from '../../src/transports/log/segment-log-store.ts';
import { connectToOwner } from '../../src/transports/log/socket-log-store.ts';
import { serveLog } from '../../src/transports/log/socket-server.ts';
import { crashingLogStore } from '../transports/log/crashing-log-store.ts';
import { storeOptions } from '../transports/log/log-fixtures.ts';
import { createMemoryLogStore, type MemoryLogStore } from '../transports/log/memory-log-store.ts';
import { describeTransport } from './transport-conformance.ts';
import type { TransportHarness } from './transport-harness.ts';

const recordBytesMax = 1024 * 1024;
/** `recordBytes` counts 64 for a record's bookkeeping. */
const valueBytesMax = recordBytesMax - 64;

/** @param reopened what a new process finds after a crash. */
function harness(store: LogStore, reopened: () => Promise<LogStore>, close: () => Promise<void>): TransportHarness {
  const crashing = crashingLogStore(store);
  const transport = createLogTransport(crashing.store, { recordBytesMax });
  return {
    transport,
    member: () => Promise.resolve(transport),
    crash: crashing.crash,
    restart: async () => createLogTransport(await reopened(), { recordBytesMax }),
    valueBytesMax,
    close: async () => {
      await transport.close();
      await close();
    },
  };
}

function removingFrom(memory: MemoryLogStore): Pick<TransportHarness, 'removeFirst'> {
  return {
    removeFirst: async (topicPartition, count) => {
      const { startSequence } = await memory.bounds(topicPartition);
      memory.trim(topicPartition, startSequence + BigInt(count));
    },
  };
}

type DiskHarness = { readonly store: SegmentLogStore; readonly reopened: () => Promise<LogStore>; readonly removeFirst: NonNullable<TransportHarness['removeFirst']>; readonly close: () => Promise<void> };

/** A segment for each record, so that retention, which removes whole segments, can be told to leave so many of them. */
async function segmentPerRecord(directory: string): Promise<DiskHarness> {
  let keptBytes: number | undefined;
  const retention = { limitsOf: () => ({ ms: undefined, bytes: keptBytes }), neededFrom: () => Promise.resolve(undefined) };
  const options = { ...storeOptions(directory), limits: { ...defaultLogLimits, segmentBytes: 1 }, retention };
  const stores = [await openSegmentLogStore(options)];
  return {
    store: stores[0]!,
    reopened: async () => {
      await stores.at(-1)!.close();
      stores.push(await openSegmentLogStore(options));
      return stores.at(-1)!;
    },
    removeFirst: async ({ topic, partition }, count) => {
      const store = stores.at(-1)!;
      const { incarnation } = (await store.topics()).find((description) => description.topic === topic)!;
      const folder = join(directory, 'topics', `${topic}-${incarnation}`, String(partition));
      const names = (await readdir(folder)).filter((name) => name.endsWith('.log')).sort();
      const sizes = await Promise.all(names.slice(count).map(async (name) => (await stat(join(folder, name))).size));
      keptBytes = sizes.reduce((sum, size) => sum + size, 0);
      await store.retain();
      keptBytes = undefined;
    },
    close: async () => {
      await stores.at(-1)!.close();
      await rm(directory, { recursive: true });
    },
  };
}

async function served(store: LogStore, directory: string): Promise<{ readonly client: LogStore; readonly close: () => Promise<void> }> {
  const path = join(directory, 'owner.sock');
  const server = await serveLog(store, { path, keeps: true, onYield: () => undefined, closeMsMax: 1_000 });
  const client = await connectToOwner(path, 1_000);
  if (client === undefined) throw new Error('Nobody listens.');
  return { client, close: () => server.close('closed') };
}

const temporaryDirectory = (): Promise<string> => mkdtemp(join(tmpdir(), 'ls-'));

describeTransport('the log transport on a store in memory', () => {
  const memory = createMemoryLogStore();
  return Promise.resolve({ ...harness(memory, () => Promise.resolve(memory), memory.close), ...removingFrom(memory) });
});

describeTransport('the log transport on a store in memory, over the socket', async () => {
  const directory = await temporaryDirectory();
  const memory = createMemoryLogStore();
  const { client, close } = await served(memory, directory);
  const closeAll = async (): Promise<void> => {
    await client.close();
    await close();
    await rm(directory, { recursive: true });
  };
  return { ...harness(client, () => Promise.resolve(client), closeAll), ...removingFrom(memory), replacementRefused: 'LS_LOG_OWNED' };
});

describeTransport('the log transport on a store on disk', async () => {
  const { store, reopened, removeFirst, close } = await segmentPerRecord(await temporaryDirectory());
  return { ...harness(store, reopened, close), removeFirst };
});

describeTransport('the log transport on a store on disk, over the socket', async () => {
  const directory = await temporaryDirectory();
  const { store, removeFirst, close: closeStore } = await segmentPerRecord(directory);
  const { client, close } = await served(store, directory);
  const closeAll = async (): Promise<void> => {
    await client.close();
    await close();
    await closeStore();
  };
  return { ...harness(client, () => Promise.resolve(client), closeAll), removeFirst, replacementRefused: 'LS_LOG_OWNED' };
});

describeTransport('the log transport on a store on disk, with segments as they are', async () => {
  const directory = await temporaryDirectory();
  const stores = [await openSegmentLogStore(storeOptions(directory))];
  const reopened = async (): Promise<LogStore> => {
    await stores.at(-1)!.close();
    stores.push(await openSegmentLogStore(storeOptions(directory)));
    return stores.at(-1)!;
  };
  return harness(stores[0]!, reopened, async () => {
    await stores.at(-1)!.close();
    await rm(directory, { recursive: true });
  });
});
