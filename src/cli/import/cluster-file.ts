/** A file of clusters that were made elsewhere, whatever it is written as: what is small of it is at hand, vectors are read as often as they are wanted. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { cliError } from '../../core/errors/cli.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import { itemsMax, type ClusterFileContent } from './cluster-file-content.ts';
import { importFileError } from './import-file-error.ts';
import { openJsonClusters } from './json-clusters.ts';
import { openNpzClusters } from './npz-clusters.ts';

export type ClusterFile = ClusterFileContent & { readonly sha256: string };

const labelLengthMax = 1_000;

/** To be closed. Rejects with LS_CLI_FILE, LS_CLI_IMPORT_FILE, and with the reason of the signal, which ends whatever is being read. */
export function openClusterFile(file: string, signal: AbortSignal): Promise<ClusterFile> {
  return ofFile(file, signal, async () => {
    const sha256 = await sha256Of(file, signal);
    const content = (await isArchive(file)) ? await openNpzClusters(file, signal) : await openJsonClusters(file);
    try {
      checkContent(content);
    } catch (error) {
      await content.close();
      throw error;
    }
    return { ...content, sha256, vectors: () => named(file, signal, content.vectors()) };
  });
}

async function* named<Value>(file: string, signal: AbortSignal, values: AsyncIterable<Value>): AsyncGenerator<Value> {
  const iterator = values[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await ofFile(file, signal, () => iterator.next());
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}

/** What goes wrong with a file names it. */
async function ofFile<Result>(file: string, signal: AbortSignal, use: () => Promise<Result>): Promise<Result> {
  try {
    return await use();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof LabelstreamError) throw cliError('LS_CLI_IMPORT_FILE', `${file}: ${error.message}`, { file }, { cause: error });
    if (error instanceof Error && 'code' in error) throw cliError('LS_CLI_FILE', `${file}: ${error.message}`, { file }, { cause: error });
    throw error;
  }
}

async function sha256Of(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { signal })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function isArchive(file: string): Promise<boolean> {
  await using handle = await open(file);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
  if (bytesRead === 2 && buffer[0] === 0x80) throw importFileError('it is a pickle, which is not read, because reading one runs what is in it: docs/importing-clusters.md has a script that makes an .npz of it');
  return buffer.toString('latin1') === 'PK';
}

function checkContent({ items, clusters, labels, eps, minPoints }: ClusterFileContent): void {
  if (items.length === 0 || items.length > itemsMax) throw importFileError(`it has ${items.length} items; 1 to ${itemsMax} are taken`);
  if (clusters.length !== items.length) throw importFileError(`it has ${items.length} items, and clusters of ${clusters.length}`);
  const wrong = clusters.find((cluster) => !Number.isSafeInteger(cluster) || cluster < -1);
  if (wrong !== undefined) throw importFileError(`${wrong} is no number of a cluster: from 0 on, or -1 for noise`);
  const seen = new Set<string>();
  for (const item of items) {
    if (!item.isWellFormed()) throw importFileError(`the item ${JSON.stringify(item.slice(0, 100))} has half of a surrogate pair`);
    if (seen.has(item)) throw importFileError(`the item ${JSON.stringify(item.slice(0, 100))} is there twice`);
    seen.add(item);
  }
  const known = new Set(clusters);
  for (const [cluster, label] of labels) {
    if (!known.has(cluster)) throw importFileError(`the cluster ${cluster} has a label and no items`);
    if (!label.isWellFormed()) throw importFileError(`the label of the cluster ${cluster} has half of a surrogate pair`);
    if (label.length > labelLengthMax) throw importFileError(`the label of the cluster ${cluster} has ${label.length} characters; at most ${labelLengthMax} are taken`);
  }
  if (eps !== undefined && !(eps > 0)) throw importFileError(`eps is ${eps}`);
  if (minPoints !== undefined && !(Number.isSafeInteger(minPoints) && minPoints > 0)) throw importFileError(`min_samples is ${minPoints}`);
}
