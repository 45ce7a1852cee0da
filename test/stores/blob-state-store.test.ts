import { describe, expect, it } from 'vitest';
import { stateError } from '../../src/core/errors/state.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { fetchArtefact, storeArtefact } from '../../src/pipeline/artefact-store.ts';
import type { StateStore, StoredSnapshot } from '../../src/pipeline/state-store.ts';
import { createBlobStateStore, type BlobStoreLimits } from '../../src/stores/blob-state-store.ts';
import { chunksAt, conformanceKey as key, copied, headerAt, restored, snapshotName } from '../conformance/state-store-conformance.ts';
import { createVirtualClock, integerIn, type VirtualClock } from '../pipeline/virtual-clock.ts';
import { createMemoryContainer, type ContainerRequest, type MemoryContainer } from './memory-container.ts';

const full = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const leaf = 'cluster/features-a%2Fb/2/';
const away = (): Error => stateError('LS_STATE_CONTAINER_UNREACHABLE', 'away');

type Fixture = {
  readonly container: MemoryContainer;
  readonly clock: VirtualClock;
  readonly store: StateStore;
  readonly open: () => StateStore;
  readonly retried: unknown[];
  readonly corrupted: Error[];
  readonly end: () => void;
};

function fixture(limits: Partial<BlobStoreLimits> = { blockBytes: 100_000 }): Fixture {
  const container = createMemoryContainer();
  const clock = createVirtualClock();
  const ending = new AbortController();
  const [retried, corrupted]: [unknown[], Error[]] = [[], []];
  const open = (): StateStore =>
    createBlobStateStore({
      container, prefix: '', clock, random: () => 0.5, signal: ending.signal, limits,
      retried: (_attempt, error) => retried.push(error), snapshotCorrupt: (error) => corrupted.push(error),
    });
  return { container, clock, store: open(), open, retried, corrupted, end: () => ending.abort() };
}

/** The first `count` requests of a kind fail. */
function failing(container: MemoryContainer, kind: ContainerRequest, count: number, late = false): void {
  let left = count;
  container.fault = (request) => {
    if (request !== kind || left === 0) return Promise.resolve(undefined);
    left -= 1;
    return Promise.resolve({ error: away(), late });
  };
}

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(away()), { once: true });
  });

it('a container that lists what it does not give is asked again, and not without a pause', async () => {
  const { container, clock, store, retried } = fixture();
  await clock.drive(store.write(headerAt(5n), chunksAt(5n)));
  let left = 20;
  const listing = { ...container, read: (...asked: Parameters<MemoryContainer['read']>) => (left-- > 0 ? Promise.resolve('gone' as const) : container.read(...asked)) };
  const options = { container: listing, prefix: '', clock, random: () => 0.5, signal: new AbortController().signal };
  const before = clock.elapsedMs();
  const found = await clock.drive(createBlobStateStore({ ...options, retried: (_attempt, error) => retried.push(error) }).readNewest(key, 5n, copied));
  expect(found?.header.sequence).toBe(5n);
  // Half of 250 ms, doubled up to half of 10 s.
  expect(clock.elapsedMs() - before).toBeGreaterThan(60_000);
  expect(retried.length, 'of the first time nothing is told: the owner may have written others').toBe(19);
  expect(String(retried[0])).toContain('is listed, and is not there when it is read');
});

describe('a container that is away', () => {
  it.each(['list', 'read'] as const)('is waited for by a restore, however long: %s', async (kind) => {
    const { container, clock, store, retried } = fixture();
    await clock.drive(store.write(headerAt(5n), chunksAt(5n)));
    failing(container, kind, 500);
    const before = clock.elapsedMs();
    const found = await clock.drive(restored(store, 5n));
    expect(Buffer.concat(found?.chunks ?? []).equals(Buffer.concat(chunksAt(5n)))).toBe(true);
    expect(retried.length).toBe(500);
    expect(clock.elapsedMs() - before).toBeGreaterThan(20 * 60_000);
  });

  it('is waited for in the middle of a state that is being restored', async () => {
    const { container, clock, store } = fixture();
    await clock.drive(store.write(headerAt(5n), chunksAt(5n)));
    const copies: Buffer[] = [];
    const read = async ({ chunks }: StoredSnapshot): Promise<void> => {
      for await (const chunk of chunks) {
        copies.push(Buffer.from(chunk));
        if (copies.length === 1) failing(container, 'read', 50);
      }
    };
    await clock.drive(store.readNewest(key, 5n, read));
    expect(Buffer.concat(copies).equals(Buffer.concat(chunksAt(5n)))).toBe(true);
  });

  it('is waited for before anything is discarded, and told what it discarded', async () => {
    const { container, clock, store, retried } = fixture();
    for (const sequence of [5n, 9n]) await clock.drive(store.write(headerAt(sequence), [Buffer.from('x')]));
    failing(container, 'remove', 30);
    expect(await clock.drive(store.discardAbove(key, 5n))).toEqual([9n]);
    expect(retried.length).toBe(30);
  });

  it.each(['list', 'stage', 'commit'] as const)('costs a snapshot, not the stage: %s', async (kind) => {
    const { container, clock, store, open } = fixture();
    failing(container, kind, Infinity);
    const before = clock.elapsedMs();
    await expect(clock.drive(store.write(headerAt(5n), chunksAt(5n)))).rejects.toMatchObject({
      code: 'LS_STATE_WRITE_FAILED', retryable: true, cause: expect.objectContaining({ code: 'LS_STATE_CONTAINER_UNREACHABLE' }) as unknown,
    });
    expect(clock.elapsedMs() - before).toBeLessThan(20_000);
    failing(container, kind, 0);
    expect(await clock.drive(open().readNewest(key, 100n, copied)), 'torn uploads are nothing').toBeUndefined();
    await clock.drive(store.write(headerAt(7n), chunksAt(7n)));
    expect((await clock.drive(restored(store, 100n)))?.header).toEqual(headerAt(7n));
  });

  it('is asked once for the next snapshot after one that failed, and does not hold the stage up for long', async () => {
    const { container, clock, store } = fixture();
    let requests = 0;
    container.fault = (_request, signal) => {
      requests += 1;
      return untilAborted(signal);
    };
    await expect(clock.drive(store.write(headerAt(5n), chunksAt(5n)))).rejects.toMatchObject({ code: 'LS_STATE_WRITE_FAILED' });
    expect(requests).toBe(3);
    const before = clock.elapsedMs();
    await expect(clock.drive(store.write(headerAt(7n), chunksAt(7n)))).rejects.toMatchObject({ code: 'LS_STATE_WRITE_FAILED' });
    expect(requests).toBe(4);
    expect(clock.elapsedMs() - before).toBe(15_000);
  });

  it('is waited for by who fetches an artefact, and its answer that there is none is not', async () => {
    const { container, clock, store, retried } = fixture();
    const sha256 = await clock.drive(storeArtefact(store, Buffer.from('projection')));
    failing(container, 'list', 50);
    expect((await clock.drive(fetchArtefact(store, sha256))).toString()).toBe('projection');
    expect(retried).toHaveLength(50);
    const before = clock.elapsedMs();
    await expect(clock.drive(fetchArtefact(store, 'a'.repeat(64)))).rejects.toMatchObject({ code: 'LS_STATE_ARTEFACT_MISSING' });
    expect(clock.elapsedMs()).toBe(before);
  });

  it('is not waited for once nobody needs the store', async () => {
    const { container, clock, store, end } = fixture();
    container.fault = (_request, signal) => untilAborted(signal);
    const asked = store.readNewest(key, 5n, copied);
    await clock.pass(60_000);
    end();
    await expect(clock.drive(asked)).rejects.toThrow();
  });
});

describe('what is not repeated', () => {
  it.each(['LS_STATE_CREDENTIALS', 'LS_STATE_CONTAINER_MISSING', 'LS_STATE_CONTAINER_REFUSED'] as const)('%s', async (code) => {
    const { container, clock, store, retried } = fixture();
    container.fault = () => Promise.resolve({ error: stateError(code, 'no') });
    await expect(clock.drive(store.readNewest(key, 5n, copied))).rejects.toMatchObject({ code, retryable: false });
    await expect(clock.drive(store.discardAbove(key, 5n))).rejects.toMatchObject({ code: 'LS_STATE_DISCARD_FAILED', message: expect.stringContaining(code) as unknown });
    await expect(clock.drive(store.write(headerAt(5n), chunksAt(5n)))).rejects.toMatchObject({ code: 'LS_STATE_WRITE_FAILED', message: expect.stringContaining(code) as unknown });
    expect(retried).toEqual([]);
  });
});

describe('an answer that was lost', () => {
  it('to the commit: the snapshot is there, once', async () => {
    const { container, clock, store } = fixture();
    failing(container, 'commit', 1, true);
    await clock.drive(store.write(headerAt(5n), chunksAt(5n)));
    expect([...container.blobs.keys()]).toEqual([leaf + snapshotName(5)]);
    expect((await clock.drive(restored(store, 5n)))?.header).toEqual(headerAt(5n));
  });

  it('is no success where something else stands under the name', async () => {
    const { container, clock, store } = fixture();
    container.fault = (request) => {
      if (request === 'commit') container.put(leaf + snapshotName(5), Buffer.from('no snapshot'));
      return Promise.resolve(undefined);
    };
    await expect(clock.drive(store.write(headerAt(5n), chunksAt(5n)))).rejects.toMatchObject({ code: 'LS_STATE_WRITE_FAILED', cause: expect.objectContaining({ code: 'LS_STATE_SNAPSHOT_CORRUPT' }) as unknown });
  });

  it('is no success where nothing stands under the name: the service let go of the blocks', async () => {
    const { container, clock, store } = fixture();
    const forgetful = createBlobStateStore({ container: { ...container, commit: () => Promise.resolve('exists') }, prefix: '', clock, random: () => 0.5, signal: new AbortController().signal });
    await expect(clock.drive(forgetful.write(headerAt(5n), chunksAt(5n)))).rejects.toMatchObject({ code: 'LS_STATE_WRITE_FAILED', cause: expect.objectContaining({ code: 'LS_STATE_CONTAINER_REFUSED' }) as unknown });
    expect(await clock.drive(store.readNewest(key, 5n, copied))).toBeUndefined();
  });

  it('leaves old snapshots that cannot be removed to the next', async () => {
    const { container, clock, store } = fixture();
    for (const sequence of [1n, 2n, 3n]) await clock.drive(store.write(headerAt(sequence), [Buffer.from('x')]));
    failing(container, 'remove', 3);
    await clock.drive(store.write(headerAt(4n), [Buffer.from('x')]));
    expect(container.blobs.size).toBe(4);
    await clock.drive(store.write(headerAt(5n), [Buffer.from('x')]));
    expect(await store.list(key)).toEqual([5n, 4n, 3n]);
  });
});

describe('a snapshot that the owner removes while a follower reads it', () => {
  it('is no corruption: a newer one serves', async () => {
    const { container, clock, store, corrupted } = fixture();
    await clock.drive(store.write(headerAt(5n), chunksAt(5n)));
    let reads = 0;
    container.fault = async (request) => {
      if (request === 'read' && (reads += 1) === 2) {
        await store.write(headerAt(9n), chunksAt(9n));
        container.blobs.delete(leaf + snapshotName(5));
      }
      return undefined;
    };
    expect((await clock.drive(restored(store, 100n)))?.header.sequence).toBe(9n);
    expect(corrupted).toEqual([]);
  });

  it('ends what is made of it, and is asked for anew', async () => {
    const { container, clock, store, corrupted } = fixture();
    await clock.drive(store.write(headerAt(5n), [Buffer.from('first'), Buffer.alloc(3_000_000), Buffer.from('last')]));
    const made: string[] = [];
    const read = async ({ header, chunks }: StoredSnapshot): Promise<bigint> => {
      for await (const chunk of chunks) {
        made.push(`${header.sequence}: ${chunk.length}`);
        container.blobs.delete(leaf + snapshotName(5));
        if (container.blobs.size === 0) await store.write(headerAt(4n), [Buffer.from('older')]);
      }
      return header.sequence;
    };
    expect(await clock.drive(store.readNewest(key, 5n, read))).toBe(4n);
    expect([made, corrupted]).toEqual([['5: 5', '4: 5'], []]);
  });

  it('is told once where it is corrupt, however often the others are asked for', async () => {
    const { container, clock, store, corrupted, retried } = fixture();
    for (const sequence of [5n, 9n]) await clock.drive(store.write(headerAt(sequence), chunksAt(sequence)));
    container.put(leaf + snapshotName(9), Buffer.from('no snapshot'));
    let left = 7;
    const listing = { ...container, read: (...asked: Parameters<MemoryContainer['read']>) => (asked[0].name.endsWith(snapshotName(5)) && left-- > 0 ? Promise.resolve('gone' as const) : container.read(...asked)) };
    const options = { container: listing, prefix: '', clock, random: () => 0.5, signal: new AbortController().signal };
    const again = createBlobStateStore({ ...options, retried: (_attempt, error) => retried.push(error), snapshotCorrupt: (error) => corrupted.push(error) });
    expect((await clock.drive(restored(again, 9n)))?.header.sequence).toBe(5n);
    expect([retried.length, corrupted.length]).toEqual([6, 1]);
  });

  it('is not tried again where who reads it fails, whatever he fails with', async () => {
    const { clock, store, retried } = fixture();
    for (const sequence of [5n, 9n]) await clock.drive(store.write(headerAt(sequence), chunksAt(sequence)));
    let reads = 0;
    const refuse = (): Promise<never> => {
      reads += 1;
      return Promise.reject(away());
    };
    await expect(clock.drive(store.readNewest(key, 9n, refuse))).rejects.toMatchObject({ code: 'LS_STATE_CONTAINER_UNREACHABLE', message: 'away' });
    expect([reads, retried.length]).toEqual([1, 0]);
  });
});

describe('any size', () => {
  const seeds = full ? 2_000 : 60;
  it(`comes back as it was written, in blocks and windows of any size (${seeds} seeds)`, async () => {
    for (let seed = 1; seed <= seeds; seed += 1) {
      const random = seededRandom(seed);
      const { clock, store, container } = fixture({ blockBytes: integerIn(random, 1, 3_000), blocksInFlightMax: integerIn(random, 1, 5) });
      container.fault = () => Promise.resolve(random() < 0.02 ? { error: away() } : undefined);
      const chunks = Array.from({ length: integerIn(random, 0, 6) }, () => Buffer.alloc(integerIn(random, 0, 5_000), integerIn(random, 0, 255)));
      while (await clock.drive(store.write(headerAt(5n), chunks).then(() => false, () => true)));
      const found = await clock.drive(restored(store, 5n));
      expect(found?.chunks.length, `seed ${seed}`).toBe(chunks.length);
      expect(found?.chunks.every((chunk, index) => chunk.equals(chunks[index] ?? Buffer.alloc(0))), `seed ${seed}`).toBe(true);
    }
  });

  it('is never held whole: 200 MB pass through a few blocks', async () => {
    const container = createMemoryContainer();
    const [chunkBytes, chunkCount, blockBytes, blocksInFlightMax] = [64 * 1024, 3_200, 1024 * 1024, 3];
    let [made, received, blockMax] = [0, 0, 0];
    const sizes: number[] = [];
    const counting = {
      ...container,
      list: () => Promise.resolve(sizes.length === 0 ? [] : [{ name: leaf + snapshotName(5), bytes: received, etag: '1' }]),
      stage: async (_name: string, _blockId: string, data: Buffer): Promise<void> => {
        // Slower than the stage is.
        for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        received += data.length;
        blockMax = Math.max(blockMax, data.length);
      },
      commit: (_name: string, blockIds: readonly string[]) => Promise.resolve(sizes.push(blockIds.length) > 0 ? ('committed' as const) : ('exists' as const)),
    };
    const store = createBlobStateStore({ container: counting, prefix: '', clock: createVirtualClock(), random: Math.random, signal: new AbortController().signal, limits: { blockBytes, blocksInFlightMax } });
    let aheadMax = 0;
    const chunks = function* (): Generator<Buffer> {
      for (let index = 0; index < chunkCount; index += 1) {
        made += chunkBytes;
        aheadMax = Math.max(aheadMax, made - received);
        yield Buffer.alloc(chunkBytes, index % 251);
      }
    };
    await store.write(headerAt(5n), chunks());
    expect(made).toBe(chunkBytes * chunkCount);
    expect(received).toBeGreaterThan(made);
    expect(blockMax).toBeLessThanOrEqual(blockBytes);
    expect(aheadMax).toBeLessThanOrEqual((blocksInFlightMax + 2) * blockBytes);
    expect(sizes).toEqual([Math.ceil(received / blockBytes)]);
  });

  it('is read a window ahead of the stage and no further', async () => {
    const { container, store } = fixture({ blockBytes: 100_000 });
    const chunks = Array.from({ length: 400 }, (_, index) => Buffer.alloc(20_000, index % 251));
    await store.write(headerAt(5n), chunks);
    let [read, taken, aheadMax] = [0, 0, 0];
    container.fault = (request) => {
      if (request === 'read') read += 100_000;
      aheadMax = Math.max(aheadMax, read - taken);
      return Promise.resolve(undefined);
    };
    await store.readNewest(key, 5n, async ({ chunks: stored }) => {
      for await (const chunk of stored) {
        taken += chunk.length;
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    expect(taken).toBe(8_000_000);
    // Besides the two windows, what the reader of the frames has asked for at once, and what it asks for meanwhile.
    expect(aheadMax).toBeLessThanOrEqual(2 * 100_000 + 2 * 1024 * 1024);
  });
});
