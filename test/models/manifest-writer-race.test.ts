// What becomes of a model that is being replaced when something happens between the two steps in which it is: set aside, and replaced.
import type * as FileSystem from 'node:fs/promises';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { importTransformer } from '../../src/models/import-transformer.ts';
import { temporaryDirectory } from './model-directory.ts';
import { toySource } from './toy-transformer.ts';

type Moved = (from: string, to: string) => Promise<void>;
const meanwhile = vi.hoisted((): { moved: Moved } => ({ moved: () => Promise.resolve() }));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof FileSystem>();
  const rename: Moved = async (from, to) => {
    await real.rename(from, to);
    await meanwhile.moved(from, to);
  };
  return { ...real, rename };
});

/** An import that replaces a model, and what another program does as soon as that one is set aside. @returns the code and the message. */
async function replaced(directory: string, other: (beside: string) => Promise<void>): Promise<string> {
  await mkdir(directory);
  await writeFile(join(directory, 'manifest.json'), 'the old model');
  meanwhile.moved = async (from, to) => {
    meanwhile.moved = () => Promise.resolve();
    if (from === directory) await other(to.replace(/\.old$/, ''));
  };
  return importTransformer({ from: await toySource(), directory, licence: 'MIT', batchSizes: [1] }, { force: true }).then(
    () => 'imported',
    (error: unknown) => `${String((error as { code?: unknown }).code)}: ${(error as Error).message}`,
  );
}

test('where its place is filled meanwhile, the old model is kept aside, and named', async () => {
  const root = await temporaryDirectory();
  const directory = join(root, 'model');
  const outcome = await replaced(directory, async () => {
    await mkdir(directory);
    await writeFile(join(directory, 'manifest.json'), 'of another program');
  });
  const aside = (await readdir(root)).find((name) => name.endsWith('.old')) ?? '';
  expect(await readFile(join(root, aside, 'manifest.json'), 'utf8')).toBe('the old model');
  expect(outcome).toBe(`LS_MODEL_IMPORT: ${directory} was filled by another program meanwhile; the model that was there is now ${join(root, aside)}`);
  expect(await readFile(join(directory, 'manifest.json'), 'utf8')).toBe('of another program');
  expect((await readdir(root)).sort()).toEqual([aside, basename(directory)].sort());
});

test('where the new one cannot be moved, the old model is put back', async () => {
  const root = await temporaryDirectory();
  const directory = join(root, 'model');
  expect(await replaced(directory, (beside) => rm(beside, { recursive: true }))).toMatch(/^ENOENT: /);
  expect(await readdir(root)).toEqual(['model']);
  expect(await readFile(join(directory, 'manifest.json'), 'utf8')).toBe('the old model');
});

test('where it cannot be put back either, it is named', async () => {
  const root = await temporaryDirectory();
  const directory = join(root, 'model');
  const outcome = await replaced(directory, async (beside) => {
    await rm(beside, { recursive: true });
    await writeFile(directory, 'a file');
  });
  expect(outcome).toMatch(/^LS_MODEL_IMPORT: .*; the model that was there is now .*\.old$/);
  expect(await readdir(root)).toHaveLength(2);
});
