// Files named by the SHA-256 of their bytes, beside the snapshots of a directory.
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fetchArtefact, storeArtefact } from '../../src/pipeline/artefact-store.ts';
import { createDirectoryStateStore } from '../../src/pipeline/directory-state-store.ts';
import { createNodeFileSystem } from '../../src/pipeline/node-file-system.ts';
import { withDirectory } from '../service/program.ts';

const bytes = Buffer.from(Array.from({ length: 700_000 }, (_, index) => index % 251));
const sha256 = createHash('sha256').update(bytes).digest('hex');
const open = (directory: string) => createDirectoryStateStore({ directory, fileSystem: createNodeFileSystem() });

async function fileOf(directory: string): Promise<string> {
  const [name] = (await readdir(directory, { recursive: true })).filter((each) => each.endsWith('.snapshot'));
  return join(directory, name!);
}

describe('an artefact', () => {
  it('is found by its name, by others too, and is kept once', () =>
    withDirectory(async (directory) => {
      expect(await storeArtefact(open(directory), bytes)).toBe(sha256);
      const file = await fileOf(directory);
      const before = await readFile(file);
      expect(await storeArtefact(open(directory), bytes)).toBe(sha256);
      expect(await readFile(await fileOf(directory))).toEqual(before);
      expect((await fetchArtefact(open(directory), sha256)).equals(bytes)).toBe(true);
      expect(await storeArtefact(open(directory), Buffer.alloc(0))).toBe(createHash('sha256').digest('hex'));
      expect(await fetchArtefact(open(directory), createHash('sha256').digest('hex'))).toHaveLength(0);
    }));

  it('that is not there is missed', () =>
    withDirectory(async (directory) => {
      await expect(fetchArtefact(open(directory), sha256)).rejects.toMatchObject({ code: 'LS_STATE_ARTEFACT_MISSING' });
    }));

  it('that was damaged, cut short or put under another name is refused, and comes back by being stored again', () =>
    withDirectory(async (directory) => {
      await storeArtefact(open(directory), bytes);
      const file = await fileOf(directory);
      const whole = await readFile(file);
      for (const damaged of [whole.subarray(0, -1), Buffer.alloc(0), Buffer.concat([whole.subarray(0, 500_000), Buffer.from([whole[500_000]! ^ 1]), whole.subarray(500_001)])]) {
        await writeFile(file, damaged);
        await expect(fetchArtefact(open(directory), sha256)).rejects.toMatchObject({ code: 'LS_STATE_ARTEFACT_CORRUPT' });
      }
      await storeArtefact(open(directory), bytes);
      expect((await fetchArtefact(open(directory), sha256)).equals(bytes)).toBe(true);
      const passedOver: Error[] = [];
      await writeFile(file, whole.subarray(0, -1));
      const told = createDirectoryStateStore({ directory, fileSystem: createNodeFileSystem(), snapshotCorrupt: (error) => passedOver.push(error) });
      await expect(fetchArtefact(told, sha256)).rejects.toThrow(`The artefact ${sha256} is damaged in the state store: of ${file}, `);
      expect(passedOver, 'no older snapshot serves for it').toEqual([]);
      await rm(file);
      // A whole snapshot of that name, of other bytes.
      await open(directory).write({ stage: 'projections', topic: 'artefact', incarnation: sha256, partition: 0, sequence: 0n, position: '' }, [Buffer.from('other')]);
      await expect(fetchArtefact(open(directory), sha256)).rejects.toMatchObject({ code: 'LS_STATE_ARTEFACT_CORRUPT' });
    }));
});
