import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDirectoryStateStore } from '../../src/pipeline/directory-state-store.ts';
import type { FileSystem } from '../../src/pipeline/file-system.ts';
import { createNodeFileSystem } from '../../src/pipeline/node-file-system.ts';
import type { SnapshotHeader, SnapshotKey, StateStore } from '../../src/pipeline/state-store.ts';
import { createSimulatedDisk } from '../simulation/simulated-disk.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { integerIn } from './virtual-clock.ts';

const full = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const key: SnapshotKey = { stage: 'cluster', topic: 'features', incarnation: 'a/b', partition: 2 };
const headerAt = (sequence: bigint): SnapshotHeader => ({ ...key, sequence, position: `position ${sequence}` });
const chunksAt = (sequence: bigint): Buffer[] => [Buffer.from(`state at ${sequence}`), Buffer.alloc(0), Buffer.alloc(700_000, Number(sequence % 251n))];

async function restored(store: StateStore, sequence: bigint): Promise<{ header: SnapshotHeader; chunks: Buffer[] } | undefined> {
  const found = await store.newest(key, sequence);
  return found && { header: found.header, chunks: await Array.fromAsync(found.chunks()) };
}

describe('the directory state store', () => {
  let directory = '';
  const corrupted: Error[] = [];
  const open = (fileSystem: FileSystem = createNodeFileSystem()): StateStore =>
    createDirectoryStateStore({ directory: join(directory, 'state'), fileSystem, snapshotCorrupt: (error) => corrupted.push(error) });
  const leaf = (): string => join(directory, 'state', 'cluster', 'features-a%2Fb', '2');
  const fileAt = (sequence: number): string => join(leaf(), `${String(sequence).padStart(20, '0')}.snapshot`);

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'labelstream-state-'));
    corrupted.length = 0;
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('gives back the newest at or below a sequence, header and chunks as they were', async () => {
    const store = open();
    expect(await restored(store, 100n)).toBeUndefined();
    for (const sequence of [5n, 9n]) await store.write(headerAt(sequence), chunksAt(sequence));
    expect(await restored(open(), 4n)).toBeUndefined();
    for (const [asked, sequence] of [
      [8n, 5n],
      [9n, 9n],
    ] as const) {
      const found = await restored(open(), asked);
      expect(found?.header).toEqual(headerAt(sequence));
      expect(found?.chunks.map((chunk) => chunk.length)).toEqual(chunksAt(sequence).map((chunk) => chunk.length));
      // Comparing so many bytes through the matcher takes seconds.
      expect(Buffer.concat(found?.chunks ?? []).equals(Buffer.concat(chunksAt(sequence)))).toBe(true);
    }
    expect(await store.newest({ ...key, partition: 3 }, 100n)).toBeUndefined();
    expect(await store.newest({ ...key, incarnation: 'c' }, 100n)).toBeUndefined();
  });

  it('keeps the newest three, sorted by number', async () => {
    const store = open();
    for (const sequence of [1n, 20n, 3n, 100n, 99n]) await store.write(headerAt(sequence), [Buffer.from('x')]);
    expect(await readdir(leaf())).toEqual([20, 99, 100].map((sequence) => `${String(sequence).padStart(20, '0')}.snapshot`));
  });

  it('never overwrites one that is whole, and replaces one that is not', async () => {
    const store = open();
    await store.write(headerAt(5n), [Buffer.from('first')]);
    await store.write(headerAt(5n), [Buffer.from('second')]);
    expect((await restored(store, 5n))?.chunks).toEqual([Buffer.from('first')]);
    await truncate(fileAt(5), 40);
    await store.write(headerAt(5n), [Buffer.from('third')]);
    expect((await restored(store, 5n))?.chunks).toEqual([Buffer.from('third')]);
  });

  it('removes what stands above a sequence, of that partition alone, and writes and keeps as if it had never been', async () => {
    const store = open();
    const other = { ...headerAt(90n), partition: 3 };
    expect(await store.discardAbove(key, 4n), 'no directory yet').toEqual([]);
    await store.write(other, [Buffer.from('of another partition')]);
    for (const sequence of [5n, 9n, 20n]) await store.write(headerAt(sequence), [Buffer.from(`lost ${sequence}`)]);
    expect(await open().discardAbove(key, 5n)).toEqual([20n, 9n]);
    expect(await open().discardAbove(key, 5n)).toEqual([]);
    for (const sequence of [7n, 9n]) await store.write(headerAt(sequence), [Buffer.from(`new ${sequence}`)]);
    expect((await restored(store, 8n))?.chunks.map(String)).toEqual(['new 7']);
    expect((await restored(store, 100n))?.chunks.map(String)).toEqual(['new 9']);
    expect((await restored(store, 5n))?.chunks.map(String)).toEqual(['lost 5']);
    expect((await store.newest(other, 100n))?.header).toEqual(other);
  });

  it('says with a code that it could not remove one, or not for good', async () => {
    for (const failing of ['remove', 'directorySync'] as const) {
      const real = createNodeFileSystem();
      await open(real).write(headerAt(5n), [Buffer.from('lost')]);
      const refuse = (): Promise<void> => Promise.reject(Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' }));
      await expect(open({ ...real, [failing]: refuse }).discardAbove(key, 4n), failing).rejects.toMatchObject({
        code: 'LS_STATE_DISCARD_FAILED',
        retryable: false,
        details: { stage: 'cluster', topic: 'features', partition: 2, sequence: 4n },
        cause: expect.objectContaining({ code: 'EROFS' }) as unknown,
      });
    }
  });

  it('copies chunks: the stage may fill one buffer again and again', async () => {
    const store = open();
    const buffer = Buffer.alloc(4);
    const chunks = function* () {
      for (let value = 0; value < 5; value += 1) yield buffer.fill(value);
    };
    await store.write(headerAt(5n), chunks());
    expect((await restored(store, 5n))?.chunks).toEqual([0, 1, 2, 3, 4].map((value) => Buffer.alloc(4, value)));
  });

  it('passes over a snapshot in which any byte was changed, or that ends early, and reports it', async () => {
    const store = open();
    await store.write(headerAt(5n), [Buffer.from('older')]);
    await store.write(headerAt(9n), [Buffer.from('newer'), Buffer.from('state')]);
    const whole = await readFile(fileAt(9));
    for (let offset = 0; offset < whole.length; offset += 1) {
      for (const damaged of [Buffer.from(whole).fill((whole[offset] ?? 0) ^ 0x41, offset, offset + 1), whole.subarray(0, offset)]) {
        await writeFile(fileAt(9), damaged);
        corrupted.length = 0;
        expect((await restored(store, 9n))?.header.sequence, `offset ${offset}`).toBe(5n);
        expect(corrupted).toEqual([expect.objectContaining({ code: 'LS_STATE_SNAPSHOT_CORRUPT', details: { path: fileAt(9) } })]);
      }
    }
    await writeFile(fileAt(9), whole);
    expect((await restored(store, 9n))?.header.sequence).toBe(9n);
    await writeFile(fileAt(10), whole);
    expect((await restored(store, 10n))?.header.sequence, 'a file under another name').toBe(9n);
  });

  it('reports a failed write with a code, leaves nothing under the name of a snapshot, and cleans up before the next', async () => {
    for (const failing of ['write', 'dataSync', 'rename', 'directorySync'] as const) {
      const real = createNodeFileSystem();
      let fails = false;
      const noSpace = async <Result>(operation: string, call: () => Promise<Result>): Promise<Result> => {
        if (fails && operation === failing) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
        return call();
      };
      const fileSystem: FileSystem = {
        ...real,
        open: async (path, options) => {
          const file = await real.open(path, options);
          return { ...file, write: (data, offset) => noSpace('write', () => file.write(data, offset)), dataSync: () => noSpace('dataSync', file.dataSync) };
        },
        rename: (from, to) => noSpace('rename', () => real.rename(from, to)),
        remove: (path) => (fails ? Promise.reject(new Error('EIO')) : real.remove(path)),
        directorySync: (path) => noSpace('directorySync', () => real.directorySync(path)),
      };
      const store = open(fileSystem);
      await store.write(headerAt(1n), [Buffer.from('before')]);
      fails = true;
      await expect(store.write(headerAt(5n), chunksAt(5n))).rejects.toMatchObject({
        code: 'LS_STATE_WRITE_FAILED',
        retryable: true,
        cause: expect.objectContaining({ code: 'ENOSPC' }) as unknown,
      });
      fails = false;
      await store.write(headerAt(7n), chunksAt(7n));
      expect((await readdir(leaf())).filter((name) => name.endsWith('.temporary')), failing).toEqual([]);
      expect((await restored(store, 7n))?.header.sequence).toBe(7n);
      await rm(join(directory, 'state'), { recursive: true });
    }
  });

  it('lets through what the stage throws while it is being written', async () => {
    const error = new TypeError('a defect of the stage');
    const chunks = function* (): Generator<Buffer> {
      yield Buffer.from('x');
      throw error;
    };
    await expect(open().write(headerAt(5n), chunks())).rejects.toBe(error);
    expect(await readdir(leaf())).toEqual([]);
  });

  it('lets others run while it writes', async () => {
    let turns = 0;
    const counting = setInterval(() => (turns += 1), 0);
    await open().write(headerAt(5n), Array.from({ length: 40 }, () => Buffer.alloc(300_000)));
    clearInterval(counting);
    expect(turns).toBeGreaterThan(3);
  });
});

describe('the directory state store when the power fails', () => {
  const seeds = full ? 3_000 : 150;
  it(`brings back nothing that was discarded (${seeds} seeds)`, async () => {
    for (let seed = 1; seed <= seeds; seed += 1) {
      const disk = createSimulatedDisk(seededRandom(seed));
      const process = (): StateStore => createDirectoryStateStore({ directory: '/state', fileSystem: disk.startProcess({ operation: () => undefined }) });
      const store = process();
      for (const sequence of [5n, 9n, 20n]) await store.write(headerAt(sequence), [Buffer.from(`state at ${sequence}`)]);
      expect(await store.discardAbove(key, 5n), `seed ${seed}`).toEqual([20n, 9n]);
      disk.losePower();
      expect((await restored(process(), 100n))?.header.sequence, `seed ${seed}`).toBe(5n);
    }
  });

  it(`has every snapshot whose write was acknowledged, whole (${seeds} seeds)`, async () => {
    let lost = 0;
    for (let seed = 1; seed <= seeds; seed += 1) {
      const random = seededRandom(seed);
      const disk = createSimulatedDisk(random);
      const acknowledged: bigint[] = [];
      for (let life = 0; life < 3; life += 1) {
        let operations = integerIn(random, 5, 60);
        const died = Promise.withResolvers<undefined>();
        const cut = (): undefined => {
          operations -= 1;
          if (operations === 0) {
            disk.losePower();
            died.resolve(undefined);
          }
          return undefined;
        };
        const fileSystem = disk.startProcess({ operation: cut });
        const store = createDirectoryStateStore({ directory: '/state', fileSystem });
        const run = async (): Promise<void> => {
          const newest = acknowledged.at(-1) ?? -1n;
          const found = await restored(store, 1_000n);
          expect(found === undefined ? -1n : found.header.sequence, `seed ${seed}`).toBeGreaterThanOrEqual(newest);
          if (found !== undefined) expect(found.chunks.map(String), `seed ${seed}`).toEqual([`state at ${found.header.sequence}`]);
          for (let sequence = (found?.header.sequence ?? 0n) + 1n; ; sequence += 1n) {
            await store.write(headerAt(sequence), [Buffer.from(`state at ${sequence}`)]);
            acknowledged.push(sequence);
          }
        };
        await Promise.race([run(), died.promise]);
        lost += 1;
      }
      const survived = await restored(createDirectoryStateStore({ directory: '/state', fileSystem: disk.startProcess({ operation: () => undefined }) }), 1_000n);
      expect(survived?.header.sequence ?? -1n, `seed ${seed}`).toBeGreaterThanOrEqual(acknowledged.at(-1) ?? -1n);
    }
    expect(lost).toBe(seeds * 3);
  });
});
