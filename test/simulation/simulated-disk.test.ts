/** The disk keeps what it promised, and loses, tears and keeps everything else now and then: otherwise the power loss test proves nothing. */
import { expect, test } from 'vitest';
import { seededRandom } from '../../src/core/seeded-random.ts';
import type { FileSystem } from '../../src/pipeline/file-system.ts';
import { createSimulatedDisk, systemError, type DiskOperation } from './simulated-disk.ts';

const calm = { operation: () => undefined };

/** What is left of `path` after each of 300 losses of power that follow `use`; undefined where the file is gone. */
async function remains(use: (fileSystem: FileSystem) => Promise<void>, path: string): Promise<Map<string | undefined, number>> {
  const found = new Map<string | undefined, number>();
  for (let seed = 0; seed < 300; seed += 1) {
    const disk = createSimulatedDisk(seededRandom(seed));
    await use(disk.startProcess(calm));
    disk.losePower();
    const content = await contentOf(disk.startProcess(calm), path);
    found.set(content, (found.get(content) ?? 0) + 1);
  }
  return found;
}

async function contentOf(fileSystem: FileSystem, path: string): Promise<string | undefined> {
  try {
    const handle = await fileSystem.open(path, { create: false });
    return (await handle.read(0, 1000)).toString();
  } catch {
    return undefined;
  }
}

test('keeps what was synchronised, in a directory that was', async () => {
  const found = await remains(async (fileSystem) => {
    const handle = await fileSystem.open('/file', { create: true });
    await handle.write(Buffer.from('kept'), 0);
    await handle.dataSync();
    await fileSystem.directorySync('/');
  }, '/file');
  expect([...found.keys()]).toEqual(['kept']);
});

test('loses, keeps and tears writes that were not synchronised, and may fill the file with zeros', async () => {
  const found = await remains(async (fileSystem) => {
    const handle = await fileSystem.open('/file', { create: true });
    await fileSystem.directorySync('/');
    await handle.write(Buffer.from('ab'), 0);
    await handle.dataSync();
    await handle.write(Buffer.from('cd'), 2);
    await handle.write(Buffer.from('ef'), 4);
  }, '/file');
  for (const content of ['ab', 'abcd', 'abcdef', 'abc', 'ab\0\0ef', 'ab\0\0\0\0', 'ab\0d']) expect(found.get(content), content).toBeGreaterThan(0);
  for (const content of found.keys()) expect(content?.startsWith('ab')).toBe(true);
});

test('loses a synchronised file whose directory entry was not, or whose directory was not', async () => {
  const write = async (fileSystem: FileSystem): Promise<void> => {
    const handle = await fileSystem.open('/a/b/file', { create: true });
    await handle.write(Buffer.from('kept'), 0);
    await handle.dataSync();
  };
  for (const synchronised of [['/', '/a'], ['/', '/a/b'], ['/a', '/a/b']]) {
    const found = await remains(async (fileSystem) => {
      await fileSystem.makeDirectory('/a/b');
      await write(fileSystem);
      for (const directory of synchronised) await fileSystem.directorySync(directory);
    }, '/a/b/file');
    expect([...found.keys()].sort(), synchronised.join()).toEqual(['kept', undefined]);
  }
});

test('may bring back what was removed, and undo a rename, but never half of one', async () => {
  const removed = await remains(async (fileSystem) => {
    const handle = await fileSystem.open('/file', { create: true });
    await handle.write(Buffer.from('kept'), 0);
    await handle.dataSync();
    await fileSystem.directorySync('/');
    await fileSystem.remove('/file');
  }, '/file');
  expect([...removed.keys()].sort()).toEqual(['kept', undefined]);
  for (let seed = 0; seed < 100; seed += 1) {
    const disk = createSimulatedDisk(seededRandom(seed));
    const fileSystem = disk.startProcess(calm);
    await fileSystem.open('/from', { create: true });
    await fileSystem.directorySync('/');
    await fileSystem.rename('/from', '/to');
    disk.losePower();
    expect(await disk.startProcess(calm).list('/')).toHaveLength(1);
  }
});

test('a killed process does no more, and loses nothing', async () => {
  const disk = createSimulatedDisk(seededRandom(1));
  const fileSystem = disk.startProcess(calm);
  const handle = await fileSystem.open('/file', { create: true });
  await handle.write(Buffer.from('kept'), 0);
  disk.killProcess();
  await expect(handle.write(Buffer.from('late'), 0)).rejects.toThrow('dead');
  expect(await contentOf(disk.startProcess(calm), '/file')).toBe('kept');
});

test('after a failed synchronisation the next one succeeds, though the pages may be gone', async () => {
  const found = new Set<string | undefined>();
  for (let seed = 0; seed < 100; seed += 1) {
    const disk = createSimulatedDisk(seededRandom(seed));
    let fail = true;
    const operation = ({ kind }: DiskOperation): Error | undefined => (kind === 'data-sync' && fail ? systemError('EIO', '') : undefined);
    const fileSystem = disk.startProcess({ operation });
    const handle = await fileSystem.open('/file', { create: true });
    await fileSystem.directorySync('/');
    await handle.write(Buffer.from('data'), 0);
    await expect(handle.dataSync()).rejects.toMatchObject({ code: 'EIO' });
    fail = false;
    await handle.dataSync();
    expect(await contentOf(fileSystem, '/file')).toBe('data');
    disk.losePower();
    found.add(await contentOf(disk.startProcess(calm), '/file'));
  }
  expect(found).toContain('data');
  expect(found.size).toBeGreaterThan(1);
});
