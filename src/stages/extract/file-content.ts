/**
 * Reading the file that a media event refers to. Whoever may publish names the file, so: only regular files below the allowed directories,
 * by their real paths on both sides; nothing is opened that could block or be changed by being opened; and only the very bytes whose SHA-256 the
 * event gives, so that nobody learns of a file what they did not know.
 */
import { createHash } from 'node:crypto';
import { access, constants, open, realpath, stat, type FileHandle } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LabelstreamError } from '../../core/errors/error.ts';
import { mediaError } from '../../core/errors/media.ts';
import type { Reference } from '../../core/events.generated.ts';

/** Hashing so many bytes holds up the main loop for a fraction of a millisecond. */
const chunkBytes = 256 * 1024;

/**
 * The reference is well formed and its size within the limit.
 * @param directories absolute paths.
 */
export async function readFileContent(reference: Reference, directories: readonly string[], signal: AbortSignal): Promise<Uint8Array> {
  const path = pathOf(reference.uri);
  const real = await allowedPath(path, directories);
  try {
    if (!(await stat(real)).isFile()) throw notAFile(path);
    // Something else may have taken its place: not blocking, a pipe opens at once, and fstat below says what was opened.
    const handle = await open(real, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      await requireSameFile(handle, real, path);
      return await readVerified(handle, reference, path, signal);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw await described(error, path, directories);
  }
}

function pathOf(uri: string): string {
  const refused = (message: string, cause?: unknown): Error => mediaError('LS_MEDIA_REFERENCE', `${JSON.stringify(uri.slice(0, 200))}: ${message}`, {}, { cause });
  // What the parser of URLs would drop or change in silence.
  if (/[\p{Cc}\\]/u.test(uri) || !/^file:\/\//i.test(uri)) throw refused('not of the form file:///path');
  let url: URL;
  let path: string;
  try {
    url = new URL(uri);
    path = fileURLToPath(url);
  } catch (error) {
    throw refused(error instanceof Error ? error.message : 'not a file: URI', error);
  }
  if (url.search !== '' || url.hash !== '') throw refused('a file has no query and no fragment; write %3F and %23');
  if (path.includes('\0')) throw refused('a path holds no NUL');
  return path;
}

/** The real path. Outside of the allowed directories the file system is not even asked. */
async function allowedPath(path: string, directories: readonly string[]): Promise<string> {
  const refused = (): Error => mediaError('LS_MEDIA_NOT_ALLOWED', `${JSON.stringify(path)} is not below an allowed directory`, { path });
  const roots = await realDirectories(directories);
  if (![...directories, ...roots].some((directory) => isBelow(path, directory))) throw refused();
  let real: string;
  try {
    real = await realpath(path);
  } catch (error) {
    throw await described(error, path, directories);
  }
  if (!roots.some((root) => isBelow(real, root))) throw refused();
  return real;
}

async function realDirectories(directories: readonly string[]): Promise<readonly string[]> {
  const real = await Promise.allSettled(directories.map((directory) => realpath(directory)));
  return real.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
}

export function isBelow(path: string, directory: string): boolean {
  const between = relative(directory, resolve(path));
  return between !== '' && between !== '..' && !between.startsWith(`..${sep}`) && !isAbsolute(between);
}

/** The path may lead elsewhere since it was resolved: what counts is what was opened. */
async function requireSameFile(handle: FileHandle, real: string, path: string): Promise<void> {
  const [opened, there, realAgain] = await Promise.all([handle.stat({ bigint: true }), stat(real, { bigint: true }), realpath(real)]);
  if (!opened.isFile()) throw notAFile(path);
  if (realAgain !== real || opened.ino !== there.ino || opened.dev !== there.dev) throw mismatch(path, 'was replaced while it was opened');
}

async function readVerified(handle: FileHandle, { sha256, sizeBytes }: Reference, path: string, signal: AbortSignal): Promise<Uint8Array> {
  const expected = Number(sizeBytes);
  const { size } = await handle.stat();
  if (size !== expected) throw mismatch(path, `has ${size} bytes; the event says ${expected}`);
  // Not from the pool: a worker thread gets a copy of the whole memory that a view is of.
  const bytes = Buffer.allocUnsafeSlow(expected);
  const hash = createHash('sha256');
  let read = 0;
  while (read < expected) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(bytes, read, Math.min(chunkBytes, expected - read), read);
    if (bytesRead === 0) throw mismatch(path, `ended after ${read} of ${expected} bytes`);
    hash.update(bytes.subarray(read, read + bytesRead));
    read += bytesRead;
  }
  const beyond = await handle.read(Buffer.alloc(1), 0, 1, expected);
  if (beyond.bytesRead > 0) throw mismatch(path, 'grew while it was read');
  if (hash.digest('hex') !== sha256) throw mismatch(path, 'has another SHA-256 than the event says');
  return bytes;
}

function mismatch(path: string, what: string): Error {
  return mediaError('LS_MEDIA_MISMATCH', `${JSON.stringify(path)} ${what}`, { path });
}

function notAFile(path: string): Error {
  return mediaError('LS_MEDIA_NOT_A_FILE', `${JSON.stringify(path)} is no regular file`, { path });
}

/** What the file system said, as an error of ours. A file that is missing is the event's fault; not so where its whole directory is. */
async function described(error: unknown, path: string, directories: readonly string[]): Promise<unknown> {
  if (error instanceof LabelstreamError || !(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error;
  const { code, message } = error;
  const details = { path, code };
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ENAMETOOLONG':
    case 'ELOOP':
      if (await areReadable(directories, path)) return mediaError('LS_MEDIA_NOT_FOUND', message, details, { cause: error });
      break;
    case 'EACCES':
    case 'EPERM':
      if (await areReadable(directories, path)) return mediaError('LS_MEDIA_DENIED', message, details, { cause: error });
      break;
    case 'ENXIO':
    case 'EISDIR':
      return mediaError('LS_MEDIA_NOT_A_FILE', message, details, { cause: error });
  }
  return mediaError('LS_MEDIA_UNAVAILABLE', message, details, { cause: error });
}

/** Whether each allowed directory that the path is in can be entered. */
async function areReadable(directories: readonly string[], path: string): Promise<boolean> {
  const around = directories.filter((directory) => isBelow(path, directory));
  const entered = await Promise.allSettled(around.map((directory) => access(directory, constants.X_OK)));
  return entered.every(({ status }) => status === 'fulfilled');
}
