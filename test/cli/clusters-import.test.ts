// `clusters import`: what is refused before anything is appended, what becomes of the items, and that the same file changes nothing the second time.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { openClusterFile } from '../../src/cli/import/cluster-file.ts';
import { importedRecord, importIncarnation } from '../../src/stages/cluster/imported-features.ts';
import { runProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { objects, succeed, textsConfiguration, topicContents, withLog, writeEncoder } from './fixtures.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

const at = (...values: readonly number[]): readonly number[] => [...values, 0, 0, 0, 0, 0, 0, 0, 0].slice(0, 8);
const whole = {
  items: ['a', 'b', 'c', 'd', 'e', 'f', 'z'],
  clusters: [0, 0, 0, 4, 4, 4, -1],
  vectors: [at(1), at(1, 0.1), at(1, 0.2), at(0, 1), at(0, 1, 0.1), at(0, 1, 0.2), at(0, 0, 0, 1)],
  labels: { 0: 'Oil prices' }, eps: 0.05, min_samples: 3, metric: 'cosine',
};

/** A collection that the log declares, and a way to import into it. */
async function withCollection(use: (importing: (content: unknown, ...options: readonly string[]) => ReturnType<typeof runProgram>, file: string, directory: string) => Promise<void>, collection?: string): Promise<void> {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const file = await writeConfiguration(directory, textsConfiguration(collection));
    await succeed('run', '-c', file, '--until-idle');
    const path = join(directory, 'clusters.json');
    await use(async (content, ...options) => {
      await writeFile(path, JSON.stringify(content));
      return runProgram('clusters', 'import', path, '--collection', 'texts', '-c', file, ...options);
    }, file, directory);
  });
}

const featuresIn = async (file: string): Promise<number> => (await topicContents(file, 'features')).length;
const clustersIn = (file: string): Promise<Record<string, unknown>[]> => objects('clusters', 'list', '-c', file);

test('items are taken in, their clusters named, and the same file changes nothing the second time', async () => {
  await withCollection(async (importing, file) => {
    const { code, stdout, stderr } = await importing(whole, '--source', 'books');
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^IN FILE +ITEMS +CLUSTER +NAME +AGREEING +NOTE\s*\n0 +3 +[0-9a-f]{16} +Oil prices +3\s*\n4 +3 +[0-9a-f]{16} +4 +3\s*\nnoise +1 +1\s*\n7 items in texts, 7 of them as in the file\n$/);
    const [clusters, features] = [await clustersIn(file), await featuresIn(file)];
    expect(clusters.map(({ name, size }) => [name, size])).toEqual(expect.arrayContaining([['Oil prices', 3], ['4', 3]]));
    expect((await objects('clusters', 'show', 'books/a', '-c', file))[0]).toMatchObject({ itemId: 'books/a', clusterName: 'Oil prices', role: 'core' });

    const again = await importing(whole, '--source', 'books', '--json');
    expect(again.stderr).toContain('none is appended again');
    expect(again.stdout.trim().split('\n').map((line) => JSON.parse(line) as object)).toMatchObject([{ cluster: 0, name: 'Oil prices', agreeing: 3, note: '' }, { cluster: 4, name: '4' }, { cluster: -1, clusterId: null, agreeing: 1 }]);
    expect([await clustersIn(file), await featuresIn(file)]).toEqual([clusters.map((cluster) => ({ ...cluster, heldAt: expect.anything() as unknown })), features]);

    // The owner comes to the same, and what was forgotten stays away.
    await succeed('clusters', 'label', String(clusters.find(({ name }) => name === '4')?.['id']), 'Gold', '-c', file);
    await succeed('forget', 'books/z', '-c', file);
    await succeed('run', '-c', file, '--until-idle');
    const third = await importing(whole, '--source', 'books', '--json');
    expect(third.stdout.trim().split('\n').map((line) => JSON.parse(line) as object)).toMatchObject([{ cluster: 0 }, { cluster: 4, name: 'Gold', note: 'it keeps its name' }, { cluster: -1, missing: 1, note: '1 item not in the collection' }]);
    expect(await objects('tail', 'dead-letters', '-c', file, '--from-start', '--until-end')).toEqual([]);
  });
});

test('an import that broke off goes on where it is repeated', async () => {
  await withCollection(async (importing, file, directory) => {
    const path = join(directory, 'clusters.json');
    await writeFile(path, JSON.stringify(whole));
    const { sha256, close, vectors } = await openClusterFile(path, new AbortController().signal);
    const about = { family: 'texts', collection: 'texts', routeStep: 'texts/embed', importedAtMs: 1 };
    await withLog(file, async ({ transport, codec, partitionCountOf }) => {
      await codec.prepareEncode();
      const { model, modelVersion } = ((await topicContentsIn(file)) as { model: string; modelVersion: string });
      const incarnation = importIncarnation({ sha256, ...about, source: 'import' });
      for (const [row, vector] of (await Array.fromAsync(vectors())).slice(0, 4).entries()) {
        await transport.append([importedRecord(codec, partitionCountOf('features'), { ...about, model, modelVersion, incarnation }, { itemId: `import/${whole.items[row]}`, row, vector })]);
      }
    });
    await close();
    expect((await importing(whole)).stdout).toContain('7 items in texts, 7 of them as in the file');
    expect((await clustersIn(file)).map(({ size }) => size)).toEqual([3, 3]);
  });
});

/** What the log declares of the collection. */
async function topicContentsIn(file: string): Promise<unknown> {
  const { definitionsOf } = await withLog(file, async (access) => (await import('../../src/clusters-of.ts')).clustersOf(access, new AbortController().signal));
  return definitionsOf('texts').value[0];
}

test('what does not fit is refused before anything is appended', async () => {
  await withCollection(async (importing, file) => {
    const before = await featuresIn(file);
    const refused = async (content: object, code: string, said: string, ...options: readonly string[]): Promise<void> => {
      const { code: exit, stderr } = await importing({ ...whole, ...content }, ...options);
      expect([exit, stderr]).toEqual([expect.toBeOneOf([1, 78]), expect.stringContaining(code)]);
      expect(stderr.replaceAll(/\s+/g, ' ')).toContain(said);
    };
    await refused({ eps: 0.1, min_samples: 4, metric: 'euclidean' }, 'LS_CLI_IMPORT_PARAMETERS', 'eps is 0.1 in the file, 0.05 in the collection; min_samples is 4 in the file, 3 in the collection; metric is euclidean in the file, cosine in the collection');
    await refused({ model: 'vgg16' }, 'LS_CLI_IMPORT_PARAMETERS', 'the vectors are those of vgg16', '--allow-other-parameters');
    await refused({ vectors: [...whole.vectors.slice(1), at(0)] }, 'LS_CLUSTER_VECTOR_INVALID', 'the vector of z is zero');
    await refused({ vectors: whole.vectors.map((vector) => vector.slice(1)) }, 'LS_CLUSTER_VECTOR_INVALID', 'has 7 dimensions instead of 8');
    await refused({ items: ['', 'b', 'c', 'd', 'e', 'f', 'z'] }, 'LS_CLI_IMPORT_FILE', 'the field id has 0 characters');
    await refused({ items: [...whole.items.slice(1), 'x'.repeat(512)] }, 'LS_CLI_IMPORT_FILE', 'at most 1024 are allowed (transport.recordBytesMax)', '--set', 'transport.recordBytesMax=1024');
    await refused({}, 'LS_CLI_IMPORT_FILE', 'the field source contains a slash', '--source', 'a/b');
    await refused({}, 'LS_CLUSTER_FAMILY_UNDECLARED', 'no definition in the log declares news', '--collection', 'news');
    expect(await featuresIn(file)).toBe(before);
    const { code, stderr, stdout } = await importing({ ...whole, eps: 0.5 }, '--allow-other-parameters');
    expect([code, stderr]).toEqual([0, expect.stringContaining('the clusters will be other ones than in the file: eps is 0.5 in the file, 0.05 in the collection')]);
    expect(stdout).toContain('7 of them as in the file');
  });
});

test('clusters that are one here are told, and the largest names it', async () => {
  await withCollection(async (importing) => {
    const { stdout } = await importing({ ...whole, items: [...whole.items, 'y'], clusters: [0, 0, 4, 4, 4, 5, -1, -1], vectors: [...whole.vectors, at(0, 1, 0.1)], labels: { 0: 'first', 4: 'second' } }, '--json');
    expect(stdout.trim().split('\n').map((line) => JSON.parse(line) as object)).toMatchObject([
      { cluster: 0, name: 'first', agreeing: 2, others: 1, note: 'with 1 other item' }, { cluster: 4, name: 'second', agreeing: 2, others: 2, note: 'with 2 other items' },
      { cluster: 5, name: 'second', agreeing: 1, note: 'in one cluster with 4 of the file, with 3 other items' }, { cluster: -1, agreeing: 1, note: '1 in clusters here' },
    ]);
  });
});
