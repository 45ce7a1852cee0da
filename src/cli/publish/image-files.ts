/**
 * Which files `publish images` takes, and what they are called. A folder gives all images in it, at any depth, in the order of their paths; a file
 * is an image by its first bytes, whatever its name says. Hidden files and folders, links to folders, what is no image and what has a name that is no UTF-8
 * are passed over in a folder; a path that was named itself must be an image or a folder.
 */
import { isUtf8 } from 'node:buffer';
import { open, readdir, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, posix, resolve } from 'node:path';
import { cliError } from '../../core/errors/cli.ts';
import { signatureOf, type ImageFormat } from '../../models/preprocessing/image/image-format.ts';

export type ImageFile = {
  readonly file: string;
  /** Below the folder that was named; a file's own name where the file itself was named. Stable wherever the folder lies. */
  readonly id: string;
  /** The id behind the name of the folder that was named: what a person knows it by. */
  readonly path: string;
  /** The name of the folder that holds it. */
  readonly folder: string;
  readonly contentType: string;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
};

export type ImageFiles = {
  readonly images: readonly ImageFile[];
  /** In folders, what is no image. */
  readonly passedOver: readonly string[];
  /** In folders, files and folders whose names are no UTF-8, as well as they can be written. */
  readonly unnamed: readonly string[];
};

/** Throws LS_CLI_FILE for a path that cannot be read, LS_CLI_FILE_KIND for one that is no image; LS_CLI_INPUT for one that cannot be named, and where two images would have one id. */
export async function imageFilesOf(paths: readonly string[]): Promise<ImageFiles> {
  const images: ImageFile[] = [];
  const passedOver: string[] = [];
  const unnamed: string[] = [];
  for (const path of paths) {
    const isFolder = (await attempt(path, () => stat(path))).isDirectory();
    if (isFolder) {
      for (const relativePath of await filesBelow(path, unnamed)) {
        const file = join(path, relativePath);
        const image = await imageFile(file, relativePath, posix.join(basename(resolve(path)), relativePath));
        if (image === undefined) passedOver.push(file);
        else images.push(image);
      }
    } else {
      const image = await imageFile(path, basename(path), basename(path));
      if (image === undefined) throw cliError('LS_CLI_FILE_KIND', `${path}: this is no JPEG, PNG or WebP image`, { path });
      images.push(image);
    }
  }
  requireDifferentIds(images);
  return { images, passedOver, unnamed };
}

/**
 * Relative, with slashes, in the order of their characters.
 * @param unnamed is added to.
 */
async function filesBelow(folder: string, unnamed: string[]): Promise<readonly string[]> {
  const found: string[] = [];
  const waiting = [''];
  for (let inside = waiting.pop(); inside !== undefined; inside = waiting.pop()) {
    const here = join(folder, inside);
    for (const entry of await attempt(here, () => readdir(here, { withFileTypes: true, encoding: 'buffer' }))) {
      const name = entry.name.toString();
      if (name.startsWith('.')) continue;
      const path = posix.join(inside, name);
      if (!isUtf8(entry.name)) unnamed.push(join(folder, path));
      else if (entry.isDirectory()) waiting.push(path);
      else if (entry.isFile() || (entry.isSymbolicLink() && (await isFileBehind(join(folder, path))))) found.push(path);
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

async function imageFile(file: string, id: string, path: string): Promise<ImageFile | undefined> {
  const { format, sizeBytes, modifiedAtMs } = await attempt(file, () => looked(file));
  if (format === undefined) return undefined;
  const folder = basename(dirname(resolve(file)));
  return { file, id, path, folder, contentType: `image/${format}`, sizeBytes, modifiedAtMs };
}

type Looked = { readonly format: ImageFormat | undefined; readonly sizeBytes: number; readonly modifiedAtMs: number };

async function looked(file: string): Promise<Looked> {
  // A pipe that somebody named would be waited for.
  if (!(await stat(file)).isFile()) throw new Error('this is neither a file nor a folder');
  const handle = await open(file);
  try {
    const { size, mtimeMs } = await handle.stat();
    return { format: signatureOf(await firstBytes(handle)), sizeBytes: size, modifiedAtMs: Math.trunc(mtimeMs) };
  } finally {
    await handle.close();
  }
}

const signatureBytes = 16;

async function firstBytes(handle: FileHandle): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(signatureBytes), 0, signatureBytes, 0);
  return buffer.subarray(0, bytesRead);
}

function requireDifferentIds(images: readonly ImageFile[]): void {
  const byId = new Map<string, string>();
  for (const { id, file } of images) {
    const other = byId.get(id);
    if (other !== undefined) {
      const message = `${other} and ${file} would have the same id ${id}, and the second would replace the first: publish the folder above both, or one after the other with its own --source`;
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
