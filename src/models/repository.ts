/**
 * Turns a directory into bytes that can be trusted: every file that the manifest lists is hashed while it is read, and what is handed on is
 * those very bytes, never a path, so that nothing can change between the check and the use.
 */
import { createHash } from 'node:crypto';
import { open, readFile, realpath } from 'node:fs/promises';
import { join, posix, sep } from 'node:path';
import { modelError } from '../core/errors/model.ts';
import type { Consumer } from './consumers.ts';
import type { ExecutionProvider } from './execution-providers.ts';
import { parseManifest, type GraphManifest, type Manifest } from './manifest.ts';
import { onnxStructure } from './onnx-structure.ts';
import type { PluginManifest } from './plugins/plugin-manifest.ts';
import type { TransformerManifest } from './transformers/transformer-manifest.ts';

/** Shared memory: every worker reads the same copy. */
type SharedBytes = Uint8Array<SharedArrayBuffer>;

/** An ONNX file of a model. */
export type GraphFile = {
  /** In the directory of the model. */
  readonly path: string;
  readonly bytes: SharedBytes;
  /** Weights outside of the file, under the names that it uses. */
  readonly externalData: readonly { readonly path: string; readonly bytes: SharedBytes }[];
};

type CommonArtefacts = {
  readonly directory: string;
  /** Every file of the manifest by its path. */
  readonly files: ReadonlyMap<string, SharedBytes>;
};

export type GraphArtefacts = CommonArtefacts & { readonly kind: 'graph'; readonly manifest: GraphManifest; readonly graph: GraphFile };

/** The graphs by the roles that they play. */
export type TransformerArtefacts = CommonArtefacts & {
  readonly kind: 'transformers';
  readonly manifest: TransformerManifest;
  readonly graphs: ReadonlyMap<string, GraphFile>;
};

/** Its files are the plugin's to read; graphs among them are opened when it asks for them. */
export type PluginArtefacts = CommonArtefacts & { readonly kind: 'plugin'; readonly manifest: PluginManifest };

export type ModelArtefacts = GraphArtefacts | TransformerArtefacts | PluginArtefacts;

export type ModelBinding = {
  readonly name: string;
  readonly directory: string;
  /** Loaded at the start; otherwise when it is asked for first. Without it: at the start. */
  readonly preload?: boolean | undefined;
  readonly executionProviders?: readonly ExecutionProvider[] | undefined;
  /** Without it: batched. */
  readonly consumer?: Consumer | undefined;
  /** Routes name results by it: it is reloaded only as the same model. */
  readonly isPinned?: boolean | undefined;
};

/** By the name that each model is bound to. */
export type ModelRepository = ReadonlyMap<string, ModelArtefacts>;

export const manifestName = 'manifest.json';

/** Rejects with LS_MODEL_NOT_FOUND, LS_MODEL_MANIFEST, LS_MODEL_FILE_MISSING, LS_MODEL_HASH, LS_MODEL_EXTERNAL_DATA or LS_MODEL_UNKNOWN (a name bound twice). */
export async function openModelRepository(bindings: readonly ModelBinding[]): Promise<ModelRepository> {
  const repository = new Map<string, ModelArtefacts>();
  for (const { name, directory } of bindings) {
    if (repository.has(name)) throw modelError('LS_MODEL_UNKNOWN', `two models are bound to the name ${JSON.stringify(name)}`, { model: name });
    repository.set(name, await loadArtefacts(directory));
  }
  return repository;
}

/** Rejects with LS_MODEL_NOT_FOUND or LS_MODEL_MANIFEST. */
export async function readManifest(directory: string): Promise<Manifest> {
  const path = join(directory, manifestName);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') throw modelError('LS_MODEL_NOT_FOUND', `there is no ${path}`, { path }, { cause: error });
    throw modelError('LS_MODEL_MANIFEST', `cannot read ${path}: ${messageOf(error)}`, { path }, { cause: error });
  }
  return parseManifest(text, path);
}

/** Rejects with LS_MODEL_NOT_FOUND, LS_MODEL_MANIFEST, LS_MODEL_FILE_MISSING, LS_MODEL_HASH, LS_MODEL_EXTERNAL_DATA. */
export async function loadArtefacts(directory: string): Promise<ModelArtefacts> {
  const manifest = await readManifest(directory);
  const read = new Map<string, SharedBytes>();
  for (const file of manifest.files) read.set(file.path, await readChecked(directory, file));
  if (manifest.kind === 'transformers') {
    const graphs = new Map(Object.entries(manifest.graphs).map(([role, path]) => [role, graphFile(directory, path, read).file]));
    return { kind: 'transformers', directory, manifest, files: read, graphs };
  }
  if (manifest.kind === 'plugin') return { kind: 'plugin', directory, manifest, files: read };
  const { file, opset } = graphFile(directory, manifest.model, read);
  if (opset !== manifest.opset) {
    const message = `${join(directory, manifestName)}: opset is ${manifest.opset}, that of ${manifest.model} is ${opset}`;
    throw modelError('LS_MODEL_MANIFEST', message, { directory, opset });
  }
  return { kind: 'graph', directory, manifest, files: read, graph: file };
}

/** Throws LS_MODEL_FILE_MISSING, LS_MODEL_EXTERNAL_DATA or LS_MODEL_LOAD. */
export function graphFile(directory: string, path: string, read: ReadonlyMap<string, SharedBytes>): { readonly file: GraphFile; readonly opset: number } {
  const bytes = read.get(path);
  if (bytes === undefined) {
    throw modelError('LS_MODEL_FILE_MISSING', `${directory}: the model ${path} is not among the files of the manifest`, { directory, file: path });
  }
  const { externalLocations, opset } = structureOf(bytes, directory, path);
  const externalData = externalLocations.map((location) => {
    const data = read.get(posix.join(posix.dirname(path), location));
    if (data !== undefined) return { path: location, bytes: data };
    const message = `${directory}: ${path} keeps weights in ${JSON.stringify(location)}, which the manifest does not list`;
    throw modelError('LS_MODEL_EXTERNAL_DATA', message, { directory, file: location });
  });
  return { file: { path, bytes, externalData }, opset };
}

function structureOf(bytes: SharedBytes, directory: string, file: string): ReturnType<typeof onnxStructure> {
  try {
    return onnxStructure(bytes);
  } catch (error) {
    throw modelError('LS_MODEL_LOAD', `${join(directory, file)} is no ONNX file: ${messageOf(error)}`, { directory, file }, { cause: error });
  }
}

type ListedFile = Manifest['files'][number];

async function readChecked(directory: string, listed: ListedFile): Promise<SharedBytes> {
  const path = await confinedRealPath(directory, listed.path);
  const hash = createHash('sha256');
  let bytes: SharedBytes;
  let sizeBytes = 0;
  try {
    await using handle = await open(path, 'r');
    bytes = new Uint8Array(new SharedArrayBuffer(Math.min(listed.sizeBytes, (await handle.stat()).size)));
    for await (const chunk of handle.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      // A file that is too long is hashed to its end all the same: the message then names the hash that was found.
      if (sizeBytes < bytes.length) bytes.set(chunk.subarray(0, bytes.length - sizeBytes), sizeBytes);
      sizeBytes += chunk.length;
    }
  } catch (error) {
    throw fileMissing(directory, listed.path, error);
  }
  const sha256 = hash.digest('hex');
  if (sha256 === listed.sha256 && sizeBytes === listed.sizeBytes) return bytes;
  const message =
    `${join(directory, listed.path)} is not the listed file: expected SHA-256 ${listed.sha256} (${listed.sizeBytes} bytes), ` +
    `found ${sha256} (${sizeBytes} bytes)`;
  throw modelError('LS_MODEL_HASH', message, { directory, file: listed.path, expected: listed.sha256, found: sha256 });
}

/** The schema keeps `..` out; this keeps out a symbolic link that leads away. */
async function confinedRealPath(directory: string, path: string): Promise<string> {
  let root: string;
  let target: string;
  try {
    root = await realpath(directory);
    target = await realpath(join(directory, path));
  } catch (error) {
    throw fileMissing(directory, path, error);
  }
  if (target.startsWith(root + sep)) return target;
  const message = `${join(directory, manifestName)}: the file ${path} is a link that leaves the directory of the model`;
  throw modelError('LS_MODEL_MANIFEST', message, { directory, file: path });
}

function fileMissing(directory: string, file: string, error: unknown): Error {
  return modelError('LS_MODEL_FILE_MISSING', `${join(directory, file)} cannot be read: ${messageOf(error)}`, { directory, file }, { cause: error });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
