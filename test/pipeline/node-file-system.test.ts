import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createNodeFileSystem } from '../../src/pipeline/node-file-system.ts';

const fileSystem = createNodeFileSystem();

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-files-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

test('writes, reads, truncates and synchronises', async () => {
  const path = join(await temporaryDirectory(), 'file');
  const handle = await fileSystem.open(path, { create: true });
  await handle.write(Buffer.from('hello world'), 0);
  await handle.write(Buffer.from('W'), 6);
  await handle.write(Buffer.from('far'), 20);
  await handle.dataSync();
  expect(await handle.size()).toBe(23);
  expect((await handle.read(6, 5)).toString()).toBe('World');
  expect((await handle.read(20, 100)).toString()).toBe('far');
  expect(await handle.read(23, 10)).toHaveLength(0);
  await handle.truncate(5);
  await handle.close();
  expect(await readFile(path, 'utf8')).toBe('hello');
});

test('opens without losing what is there, and makes a file only when told', async () => {
  const path = join(await temporaryDirectory(), 'file');
  await expect(fileSystem.open(path, { create: false })).rejects.toMatchObject({ code: 'ENOENT' });
  await writeFile(path, 'kept');
  for (const create of [true, false]) {
    const handle = await fileSystem.open(path, { create });
    expect((await handle.read(0, 10)).toString()).toBe('kept');
    await handle.close();
  }
});

test('lists in order, nothing where nothing is, and no file for a directory', async () => {
  const directory = await temporaryDirectory();
  expect(await fileSystem.list(join(directory, 'none'))).toEqual([]);
  for (const name of ['b', 'a', 'c']) await writeFile(join(directory, name), '');
  expect(await fileSystem.list(directory)).toEqual(['a', 'b', 'c']);
  await expect(fileSystem.list(join(directory, 'a'))).rejects.toMatchObject({ code: 'ENOTDIR' });
});

test('makes directories with their parents, renames, removes', async () => {
  const directory = await temporaryDirectory();
  const deep = join(directory, 'x', 'y');
  await fileSystem.makeDirectory(deep);
  await fileSystem.makeDirectory(deep);
  await writeFile(join(deep, 'from'), 'content');
  await writeFile(join(deep, 'there'), 'stays');
  await expect(fileSystem.rename(join(deep, 'from'), join(deep, 'there'))).rejects.toMatchObject({ code: 'EEXIST' });
  expect(await readFile(join(deep, 'there'), 'utf8')).toBe('stays');
  await fileSystem.remove(join(deep, 'there'));
  await fileSystem.rename(join(deep, 'from'), join(deep, 'to'));
  expect(await fileSystem.list(deep)).toEqual(['to']);
  await fileSystem.directorySync(deep);
  expect(await readFile(join(deep, 'to'), 'utf8')).toBe('content');
  await fileSystem.remove(join(deep, 'to'));
  expect(await fileSystem.list(deep)).toEqual([]);
  await expect(fileSystem.remove(join(deep, 'to'))).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(fileSystem.directorySync(join(directory, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
});
