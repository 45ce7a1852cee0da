import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDirectoryStateStore } from '../../src/pipeline/directory-state-store.ts';
import type { FileSystem } from '../../src/pipeline/file-system.ts';
import { createNodeFileSystem } from '../../src/pipeline/node-file-system.ts';
import type { StateStore } from '../../src/pipeline/state-store.ts';
import { chunksAt, conformanceKey as key, headerAt, restored } from '../conformance/state-store-conformance.ts';
import { createSimulatedDisk } from '../simulation/simulated-disk.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { integerIn } from './virtual-clock.ts';

const full = process.env['LABELSTREAM_TEST_SCALE'] === 'full';

describe('the directory state store', () => {
  let directory = '';
  const open = (fileSystem: FileSystem = createNodeFileSystem()): StateStore =>
    createDirectoryStateStore({ directory: join(directory, 'state'), fileSystem });
  const leaf = (): string => join(directory, 'state', 'cluster', 'features-a%2Fb', '2');

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'labelstream-state-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

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

  it.each([0, 1])('takes the same from two writers at once, whichever ends first (%d)', async (first) => {
    const arrived = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()] as const;
    const ended = Promise.withResolvers<undefined>();
    const real = createNodeFileSystem();
    const write = async (index: 0 | 1): Promise<void> => {
      const rename: FileSystem['rename'] = async (from, to) => {
        arrived[index].resolve(undefined);
        await arrived[1 - index]!.promise;
        if (index !== first) await ended.promise;
        await real.rename(from, to);
      };
      await open({ ...real, rename }).write(headerAt(0n), [Buffer.from('the same')]);
      if (index === first) ended.resolve(undefined);
    };
    const earlier = write(0);
    await arrived[0].promise;
    const later = write(1);
    await Promise.all([earlier, later]);
    expect((await restored(open(), 0n))?.chunks).toEqual([Buffer.from('the same')]);
    expect(await readdir(leaf())).toEqual(['00000000000000000000.snapshot']);
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
