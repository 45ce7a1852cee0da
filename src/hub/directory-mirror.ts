/**
 * A repository in a directory: in the layout of the cache of huggingface_hub (`models--OWNER--NAME/snapshots/REVISION`, whose files are links into `blobs`
 * beside it), or by the paths of the hub (`OWNER/NAME/resolve/REVISION`), as one gets it who copies a mirror.
 */
import { createReadStream } from 'node:fs';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, join, posix, sep } from 'node:path';
import { LabelstreamError } from '../core/errors/error.ts';
import { pullError } from '../core/errors/pull.ts';
import { isCommit, type ListedFile, type Listing, type Mirror, type OpenedFile } from './mirror.ts';

const filesMax = 100_000;

/** @param directory that holds repositories. */
export function createDirectoryMirror(directory: string, repository: string): Mirror {
  const cache = join(directory, `models--${repository.replaceAll('/', '--')}`);
  const places = (revision: string): readonly Place[] => [
    { root: join(cache, 'snapshots', revision), blobs: join(cache, 'blobs') },
    { root: join(directory, repository, 'resolve', revision), blobs: undefined },
  ];
  return {
    told: directory,
    list: async (revision) => {
      const commit = isCommit(revision) ? revision : await branchTip(cache, revision);
      return listed(await placeOf(places(commit), directory, repository), commit);
    },
    open: async ({ revision, path, beginning }) => opened(await placeOf(places(revision), directory, repository), path, beginning),
    close: () => Promise.resolve(),
  };
}

/** Where the files of a revision lie, and where links of them may lead besides. */
type Place = { readonly root: string; readonly blobs: string | undefined };

async function placeOf(places: readonly Place[], directory: string, repository: string): Promise<Place> {
  for (const place of places) if (await stat(place.root).then((found) => found.isDirectory(), () => false)) return place;
  throw pullError('LS_PULL_NOT_FOUND', `${directory} holds no such revision of ${repository}: there is neither ${places.map(({ root }) => root).join(' nor ')}`, { repository });
}

async function branchTip(cache: string, branch: string): Promise<string> {
  const path = join(cache, 'refs', branch);
  if (!path.startsWith(join(cache, 'refs') + sep)) throw pullError('LS_PULL_PATH', `${JSON.stringify(branch)} is no name of a branch`);
  const tip = await readFile(path, 'utf8').then((text) => text.trim(), () => '');
  if (isCommit(tip)) return tip;
  throw pullError('LS_PULL_NOT_FOUND', `there is no branch ${JSON.stringify(branch)}: ${path} names no commit`);
}

async function listed(place: Place, revision: string): Promise<Listing> {
  const files: ListedFile[] = [];
  const waiting = [''];
  for (let inside = waiting.pop(); inside !== undefined; inside = waiting.pop()) {
    for (const entry of await reading(join(place.root, inside), () => readdir(join(place.root, inside), { withFileTypes: true }))) {
      const path = posix.join(inside, entry.name);
      if (entry.isDirectory()) waiting.push(path);
      else files.push(await listedFile(place, path));
      if (files.length > filesMax) throw pullError('LS_PULL_ANSWER', `${place.root} holds more than ${filesMax} files`);
    }
  }
  return { revision, files };
}

async function listedFile(place: Place, path: string): Promise<ListedFile> {
  // A link that leads away is refused when it is asked for: nobody may want it.
  const real = await realFile(place, path).catch(() => undefined);
  if (real === undefined) return { path };
  const { size } = await reading(real, () => stat(real));
  const name = basename(real);
  const blobs = await realBlobs(place);
  // The cache calls a blob by its SHA-256, or by git's SHA-1 where it is small.
  const known = blobs === undefined || !real.startsWith(blobs + sep) ? {} : /^[0-9a-f]{64}$/.test(name) ? { sha256: name } : isCommit(name) ? { gitSha1: name } : {};
  return { path, sizeBytes: size, ...known };
}

/** Rejects with LS_PULL_PATH where a link leads elsewhere, LS_PULL_NOT_FOUND, LS_PULL_SOURCE. */
async function realFile(place: Place, path: string): Promise<string> {
  const { root } = place;
  try {
    const real = await realpath(join(root, path));
    const allowed = [await realpath(root), await realBlobs(place)];
    if (!allowed.some((folder) => folder !== undefined && real.startsWith(folder + sep))) throw pullError('LS_PULL_PATH', `${join(root, path)} is a link that leaves its repository`, { path });
    if (!(await stat(real)).isFile()) throw new Error('this is no file');
    return real;
  } catch (error) {
    if (error instanceof LabelstreamError) throw error;
    if (error instanceof Error && 'code' in error && error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw unreadable(join(root, path), error);
    throw pullError('LS_PULL_NOT_FOUND', `${join(root, path)} cannot be read: ${error instanceof Error ? error.message : String(error)}`, { path }, { cause: error });
  }
}

/** Undefined where there are none: a cache that was copied, or made where there are no links, has the files themselves among its snapshots. */
async function realBlobs({ blobs }: Place): Promise<string | undefined> {
  return blobs === undefined ? undefined : realpath(blobs).catch(() => undefined);
}

async function opened(place: Place, path: string, beginning: Parameters<Mirror['open']>[0]['beginning']): Promise<OpenedFile> {
  const real = await realFile(place, path);
  const { size, mtimeMs } = await reading(real, () => stat(real));
  const validator = `${size}-${mtimeMs}`;
  const offset = beginning?.validator === validator && beginning.sizeBytes <= size ? beginning.sizeBytes : 0;
  return { offset, sizeBytes: size, validator, body: contentOf(real, offset) };
}

async function* contentOf(path: string, start: number): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(path, { start }) as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** Rejects with LS_PULL_SOURCE: what fails here is no fault of the place that is pulled to. */
async function reading<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  return work().catch((error: unknown) => {
    throw unreadable(path, error);
  });
}

function unreadable(path: string, error: unknown): LabelstreamError {
  return pullError('LS_PULL_SOURCE', `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`, { path: path.slice(0, 500) }, { cause: error });
}
