/** Clusters as numpy.savez writes them: `vectors`, `items`, `clusters`, and where they are known `labels`, `eps`, `min_samples`, `metric`, `model`, `model_version`. */
import { itemsMax, type ClusterFileContent } from './cluster-file-content.ts';
import { importFileError } from './import-file-error.ts';
import { numberReader, openArray, textReader, type NpyArray } from './npy-array.ts';
import { openZip, type ZipArchive } from './zip-archive.ts';

const names = new Set(['vectors', 'items', 'clusters', 'labels', 'eps', 'min_samples', 'metric', 'model', 'model_version']);

/** In all of an array, which is in memory as a whole. */
const textsLengthMax = 256 * 1024 * 1024;

/** To be closed. Rejects with LS_CLI_IMPORT_FILE, and with the reason of the signal. */
export async function openNpzClusters(file: string, signal: AbortSignal): Promise<ClusterFileContent> {
  const archive = await openZip(file, signal);
  try {
    const unknown = [...archive.entries.keys()].find((entry) => !names.has(entry.replace(/\.npy$/, '')));
    if (unknown !== undefined) throw importFileError(`it has an array ${JSON.stringify(unknown.slice(0, 100))}; known are ${[...names].join(', ')}`);
    const vectors = await arrayOf(archive, 'vectors', 2);
    const items = await texts(await listOf(archive, 'items'));
    if (vectors.shape[0] !== items.length) throw importFileError(`it has ${items.length} items, and vectors of ${vectors.shape[0] ?? 0}`);
    const labels = archive.entries.has('labels.npy') ? await texts(await listOf(archive, 'labels')) : [];
    return {
      items,
      clusters: await numbers(await listOf(archive, 'clusters')),
      labels: new Map([...labels.entries()].filter(([, label]) => label !== '')),
      eps: (await single(archive, 'eps', numbers))?.[0],
      minPoints: (await single(archive, 'min_samples', numbers))?.[0],
      metric: (await single(archive, 'metric', texts))?.[0],
      model: (await single(archive, 'model', texts))?.[0],
      modelVersion: (await single(archive, 'model_version', texts))?.[0],
      vectors: () => rowsOf(vectors),
      close: archive.close,
    };
  } catch (error) {
    await archive.close();
    throw error;
  }
}

async function arrayOf({ entries }: ZipArchive, name: string, dimensions: number): Promise<NpyArray> {
  const entry = entries.get(`${name}.npy`);
  if (entry === undefined) throw importFileError(`it has no array ${name}`);
  const array = await openArray(entry);
  if (array.shape.length !== dimensions) throw importFileError(`${name} has ${array.shape.length} dimensions instead of ${dimensions}`);
  return array;
}

/** To be read as a whole: what a small file says of itself may be too much for that. */
async function listOf(archive: ZipArchive, name: string): Promise<NpyArray> {
  const array = await arrayOf(archive, name, 1);
  const [count = 0] = array.shape;
  if (count > itemsMax) throw importFileError(`${name} has ${count} values; at most ${itemsMax} are read`);
  return array;
}

async function single<Value>(archive: ZipArchive, name: string, read: (array: NpyArray) => Promise<readonly Value[]>): Promise<readonly Value[] | undefined> {
  return archive.entries.has(`${name}.npy`) ? read(await arrayOf(archive, name, 0)) : undefined;
}

async function numbers(array: NpyArray): Promise<readonly number[]> {
  const read = numberReader(array);
  const found: number[] = [];
  for await (const row of array.rows()) found.push(read(row, 0));
  return found;
}

/** Of ids that are numbers their digits. */
async function texts(array: NpyArray): Promise<readonly string[]> {
  if (array.kind === 'integer') return (await numbers(array)).map(String);
  const read = textReader(array);
  const found: string[] = [];
  let length = 0;
  for await (const row of array.rows()) {
    const text = read(row);
    length += text.length;
    if (length > textsLengthMax) throw importFileError(`${array.name}: its texts have more than ${textsLengthMax} characters together`);
    found.push(text);
  }
  return found;
}

async function* rowsOf(array: NpyArray): AsyncGenerator<Float32Array> {
  const read = numberReader(array);
  const [, dimensions = 0] = array.shape;
  for await (const row of array.rows()) {
    const vector = new Float32Array(dimensions);
    for (let index = 0; index < dimensions; index++) vector[index] = read(row, index);
    yield vector;
  }
}
