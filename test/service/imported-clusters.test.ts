// Clusters of scikit-learn become live ones: by the script of the document as it stands, and the custom skill then answers their labels.
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, vi } from 'vitest';
import { succeed, withRun } from '../cli/fixtures.ts';
import { pythonWith } from '../python.ts';
import { blocksOf } from '../repository/documents.ts';
import { followBlock } from '../repository/run-blocks.ts';
import { testWith } from '../requirements.ts';
import { repository, withDirectory, writeConfiguration } from './program.ts';

vi.setConfig({ testTimeout: 240_000 });

const configuration = `
dataDirectory: data
server: { port: 0 }
models: { eye: { directory: MODELS/visual-encoder } }
routes: [{ name: images, from: media, steps: [{ name: cluster, task: image-features, model: eye, collection: images }] }]
collections: [{ name: images, eps: 0.25, minPoints: 6 }]
`;
const ends = ['01.jpg', '02.jpg', '03.png', '04.jpg', '05.jpg', '06.png', '07.jpg', '08.jpg', '09.png', '10.jpg'];
const images = [...['butterfly', 'cat', 'key'].flatMap((kind) => ends.map((end) => `${kind}-${end}`)), 'odd-01-robot.jpg', 'odd-02-spiral.jpg', 'odd-03-zigzag.png'];

const fitting = `
import json, pickle
import numpy as np
from sklearn.cluster import DBSCAN
vectors = np.array(json.load(open("vectors.json")), dtype=np.float32)
np.save("vectors.npy", vectors)
model = DBSCAN(eps=0.25, min_samples=6, metric="cosine").fit(vectors)
pickle.dump(model, open("dbscan.pkl", "wb"))
print(json.dumps({"clusters": model.labels_.tolist(), "cores": model.core_sample_indices_.tolist()}))
`;

type Fitted = { readonly clusters: readonly number[]; readonly cores: readonly number[] };
type Place = { readonly role: string; readonly clusterId: string | null; readonly clusterName: string | null };

const python = pythonWith('numpy', 'sklearn');

testWith({ 'Python with numpy and scikit-learn (LABELSTREAM_TEST_PYTHON)': python !== undefined }, 'cores, borders and noise are those of scikit-learn, and its labels are answered', {}, async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, configuration);
    const run = async (...parameters: readonly string[]): Promise<string> => (await promisify(execFile)(python ?? '', parameters, { cwd: directory })).stdout;
    await withRun(file, async (program) => {
      const url = /"url":"([^"]+)"/.exec(program.stderrSoFar())?.[1] ?? '';
      const post = async (path: string, body: object): Promise<unknown> => (await fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })).json();
      const encoded = await Promise.all(images.map(async (name) => (await readFile(join(repository, 'examples/images', name))).toString('base64')));
      await writeFile(join(directory, 'vectors.json'), JSON.stringify(await post('/api/tasks/image-features/models/eye/features', { image: encoded })));
      await writeFile(join(directory, 'items.txt'), images.join('\n'));
      const { clusters, cores } = JSON.parse(await run('-c', fitting)) as Fitted;
      const count = Math.max(...clusters) + 1;
      expect([count > 1, clusters.includes(-1), cores.length < clusters.filter((cluster) => cluster >= 0).length], 'clusters, noise and borders').toEqual([true, true, true]);
      await writeFile(join(directory, 'labels.txt'), Array.from({ length: count }, (_, cluster) => `label of ${cluster}`).join('\n'));
      for (const block of await blocksOf(join('docs', 'importing-clusters.md'))) if (block.marks.has('file')) await followBlock(block, directory);
      await run('export_clusters.py', 'dbscan.pkl', 'vectors.npy', 'items.txt', 'books.npz', 'labels.txt');
      // Beside a live `run`.
      const { stdout } = await succeed('clusters', 'import', join(directory, 'books.npz'), '--collection', 'images', '--source', 'books', '-c', file);
      expect(stdout).toContain(`${images.length} items in images, ${images.length} of them as in the file`);

      const placeOf = async (name: string): Promise<Place | undefined> => ((await (await fetch(`${url}/items/${encodeURIComponent(`books/${name}`)}`)).json()) as { places?: readonly Place[] }).places?.[0];
      const named = cores[0] ?? -1;
      const label = `label of ${clusters[named] ?? ''}`;
      await expect.poll(() => placeOf(images[named] ?? '')).toMatchObject({ clusterName: label });
      const places = await Promise.all(images.map(placeOf));
      const isCore = new Set(cores);
      expect(places.map((place) => [place?.role, place?.clusterName])).toEqual(
        clusters.map((cluster, index) => [cluster === -1 ? 'noise' : isCore.has(index) ? 'core' : 'border', cluster === -1 ? null : `label of ${cluster}`]),
      );
      expect(new Set(places.map((place) => place?.clusterId)).size, 'a cluster each, and noise').toBe(count + 1);

      const noise = clusters.indexOf(-1);
      expect(await post('/api/extraction', { values: [named, noise].map((index) => ({ recordId: images[index], data: { images: { data: encoded[index] } } })) })).toEqual({
        values: [[named, [label]] as const, [noise, ''] as const].map(([index, of]) => ({ recordId: images[index], errors: '', data: { label: of }, warnings: '' })),
      });
    });
  });
});
