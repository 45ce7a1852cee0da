/**
 * Which files `publish images` and `publish sounds` take, and what they are called. A folder gives all of the kind in it, at any depth, in the order of their
 * paths. There a file is of the kind by its first bytes or by its name: one that has only the name is damaged, or something else, and what is wrong with it belongs
 * into a dead letter. What is neither, hidden files and folders, links to folders and to nothing, and what has a name that is no UTF-8 are passed over;
 * a path that was named itself must be of the kind, or a folder. What is to be deleted need not be there any more.
 */
import { isUtf8 } from 'node:buffer';
import { open, readdir, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, extname, isAbsolute, join, posix, relative, resolve, sep } from 'node:path';
import { cliError } from '../../core/errors/cli.ts';
import type { MediaKind } from './media-kinds.ts';

export type MediaFile = {
  readonly file: string;
  /** Below the root. Stable wherever that lies. */
  readonly id: string;
  /** The id behind the name of the root: what a person knows it by. A file's own name where the file itself was named, without a root. */
  readonly path: string;
  /** The name of the folder that holds it. */
  readonly folder: string;
  readonly contentType: string;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
};

export type MediaFiles = {
  readonly files: readonly MediaFile[];
  readonly passedOver: PassedOver;
};

/** In folders. */
export type PassedOver = {
  /** Not of the kind by content or name. */
  readonly others: readonly string[];
  /** Links to folders, which could lead in circles, and links that lead to nothing. */
  readonly links: readonly string[];
  /** Files and folders whose names are no UTF-8, as well as they can be written. */
  readonly unnamed: readonly string[];
};

export type MediaFilesOptions = {
  /** The folder below which all paths lie, and from which ids are formed. Without it: the folder that is named; for a file that is named its own. */
  readonly root?: string | undefined;
  /** Whether named files may be gone. */
  readonly deleting?: boolean;
};

/**
 * Throws LS_CLI_USAGE for a path outside of the root, LS_CLI_FILE for one that cannot be read, LS_CLI_FILE_KIND for one that is not of the kind; LS_CLI_INPUT
 * where two files would have one id.
 */
export async function mediaFilesOf(kind: MediaKind, paths: readonly string[], { root, deleting = false }: MediaFilesOptions = {}): Promise<MediaFiles> {
  const files: MediaFile[] = [];
  const passedOver = { others: [] as string[], links: [] as string[], unnamed: [] as string[] };
  for (const path of paths) {
    const inside = root === undefined ? undefined : below(root, path);
    if (await isFolder(path, deleting)) {
      const [above, prefix] = root === undefined ? [path, ''] : [root, inside ?? ''];
      for (const relativePath of await filesBelow(path, passedOver)) {
        const file = join(path, relativePath);
        const id = posix.join(prefix, relativePath);
        const found = await mediaFile(kind, file, id, posix.join(basename(resolve(above)), id), 'by-name-too');
        if (found === undefined) passedOver.others.push(file);
        else files.push(found);
      }
    } else {
      const [id, known] = root === undefined || inside === undefined ? [basename(path), basename(path)] : [inside, posix.join(basename(resolve(root)), inside)];
      const found = deleting ? await deletedFile(kind, path, id, known) : await mediaFile(kind, path, id, known, 'by-content');
      if (found === undefined) throw cliError('LS_CLI_FILE_KIND', `${path}: this is no ${kind.described}`, { path });
      files.push(found);
    }
  }
  requireDifferentIds(files);
  return { files, passedOver };
}

/** With slashes; empty for the root itself. */
function below(root: string, path: string): string {
  const inside = relative(resolve(root), resolve(path));
  if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) throw cliError('LS_CLI_USAGE', `${path} does not lie below --root ${root}`, { path, root });
  return inside.split(sep).join('/');
}

async function isFolder(path: string, mayBeGone: boolean): Promise<boolean> {
  return attempt(path, async () => {
    try {
      return (await stat(path)).isDirectory();
    } catch (error) {
      // What a folder held cannot be known when it is gone; without an extension a name may be a folder's.
      if (mayBeGone && extname(path) !== '' && isMissing(error)) return false;
      throw error;
    }
  });
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

/**
 * Relative, with slashes, in the order of their characters.
 * @param passedOver is added to.
 */
async function filesBelow(folder: string, passedOver: { readonly others: string[]; readonly links: string[]; readonly unnamed: string[] }): Promise<readonly string[]> {
  const found: string[] = [];
  const waiting = [''];
  for (let inside = waiting.pop(); inside !== undefined; inside = waiting.pop()) {
    const here = join(folder, inside);
    for (const entry of await attempt(here, () => readdir(here, { withFileTypes: true, encoding: 'buffer' }))) {
      const name = entry.name.toString();
      if (name.startsWith('.')) continue;
      const path = posix.join(inside, name);
      if (!isUtf8(entry.name)) passedOver.unnamed.push(join(folder, path));
      else if (entry.isDirectory()) waiting.push(path);
      else if (entry.isFile()) found.push(path);
      else if (!entry.isSymbolicLink()) passedOver.others.push(join(folder, path));
      else if (await isFileBehind(join(folder, path))) found.push(path);
      else passedOver.links.push(join(folder, path));
    }
  }
  return found.sort((left, right) => (left < right ? -1 : 1));
}

async function isFileBehind(link: string): Promise<boolean> {
  try {
    return (await stat(link)).isFile();
  } catch {
    // It leads nowhere.
    return false;
  }
}

async function mediaFile(kind: MediaKind, file: string, id: string, path: string, recognised: 'by-content' | 'by-name-too'): Promise<MediaFile | undefined> {
  const { typeOfContent, sizeBytes, modifiedAtMs } = await attempt(file, () => looked(kind, file));
  const contentType = typeOfContent ?? (recognised === 'by-name-too' ? typeOfName(kind, file) : undefined);
  if (contentType === undefined) return undefined;
  return { file, id, path, folder: folderOf(file), contentType, sizeBytes, modifiedAtMs };
}

/** As it was published, as far as its path tells: routes may ask for that. */
async function deletedFile(kind: MediaKind, file: string, id: string, path: string): Promise<MediaFile> {
  const { typeOfContent } = await looked(kind, file).catch(() => ({ typeOfContent: undefined }));
  const contentType = typeOfContent ?? typeOfName(kind, file) ?? 'application/octet-stream';
  return { file, id, path, folder: folderOf(file), contentType, sizeBytes: 0, modifiedAtMs: 0 };
}

function typeOfName({ typesOfNames }: MediaKind, file: string): string | undefined {
  return typesOfNames[extname(file).toLowerCase()];
}

function folderOf(file: string): string {
  return basename(dirname(resolve(file)));
}

type Looked = { readonly typeOfContent: string | undefined; readonly sizeBytes: number; readonly modifiedAtMs: number };

async function looked({ headBytes, contentTypeOf }: MediaKind, file: string): Promise<Looked> {
  // A pipe that somebody named would be waited for.
  if (!(await stat(file)).isFile()) throw new Error('this is neither a file nor a folder');
  const handle = await open(file);
  try {
    const { size, mtimeMs } = await handle.stat();
    const head = await firstBytes(handle, headBytes(await firstBytes(handle, beginningBytes)));
    return { typeOfContent: contentTypeOf(head), sizeBytes: size, modifiedAtMs: Math.trunc(mtimeMs) };
  } finally {
    await handle.close();
  }
}

const beginningBytes = 16;

async function firstBytes(handle: FileHandle, count: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(count), 0, count, 0);
  return buffer.subarray(0, bytesRead);
}

function requireDifferentIds(files: readonly MediaFile[]): void {
  const byId = new Map<string, string>();
  for (const { id, file } of files) {
    const other = byId.get(id);
    if (other !== undefined) {
      const message = `${other} and ${file} would have the same id ${id}, and the second would replace the first: name the folder above both with --root, or publish one after the other with its own --source`;
      throw cliError('LS_CLI_INPUT', message, { id });
    }
    byId.set(id, file);
  }
}

async function attempt<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw cliError('LS_CLI_FILE', `${path}: ${(error as Error).message}`, { path }, { cause: error });
  }
}
