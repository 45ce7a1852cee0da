/** Clusters as JSON: the same fields as in an .npz. The whole text is read at once, so it is for what is small. */
import { open } from 'node:fs/promises';
import { z } from 'zod';
import type { ClusterFileContent } from './cluster-file-content.ts';
import { importFileError } from './import-file-error.ts';

const bytesMax = 256 * 1024 * 1024;

const file = z.strictObject({
  vectors: z.array(z.array(z.number())),
  items: z.array(z.union([z.string(), z.int()])),
  clusters: z.array(z.int()),
  labels: z.union([z.record(z.string().regex(/^\d{1,15}$/, 'the number of a cluster'), z.string()), z.array(z.string())]).default([]),
  eps: z.number().optional(),
  min_samples: z.number().optional(),
  metric: z.string().optional(),
  model: z.string().optional(),
  model_version: z.string().optional(),
});

/** Rejects with LS_CLI_IMPORT_FILE. */
export async function openJsonClusters(path: string): Promise<ClusterFileContent> {
  const parsed = file.safeParse(await jsonIn(path));
  if (!parsed.success) {
    const { path: place, message } = parsed.error.issues[0] ?? { path: [], message: '' };
    throw importFileError(`${place.length === 0 ? 'the whole' : place.map(String).join('.')}: ${message}`);
  }
  const { vectors, items, clusters, labels, eps, min_samples: minPoints, metric, model, model_version: modelVersion } = parsed.data;
  if (vectors.length !== items.length) throw importFileError(`it has ${items.length} items, and vectors of ${vectors.length}`);
  return {
    items: items.map(String),
    clusters,
    labels: new Map(Object.entries(labels).flatMap(([cluster, label]) => (label === '' ? [] : [[Number(cluster), label]]))),
    eps, minPoints, metric, model, modelVersion,
    vectors: () => rowsOf(vectors),
    close: () => Promise.resolve(),
  };
}

async function jsonIn(path: string): Promise<unknown> {
  await using handle = await open(path);
  const { size } = await handle.stat();
  if (size > bytesMax) throw importFileError(`it has ${size} bytes; of JSON at most ${bytesMax} are read: write an .npz`);
  const bytes = await handle.readFile();
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw importFileError('it is neither an .npz nor JSON in UTF-8', error);
  }
}

async function* rowsOf(vectors: readonly (readonly number[])[]): AsyncGenerator<Float32Array> {
  for (const vector of vectors) yield await Promise.resolve(Float32Array.from(vector));
}
