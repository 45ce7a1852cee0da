/** The file port on the real disk. */
import { constants, link, mkdir, open, readdir, rename, rm, type FileHandle as NodeFileHandle } from 'node:fs/promises';
import type { FileHandle, FileSystem } from './file-system.ts';

export function createNodeFileSystem(): FileSystem {
  return {
    open: async (path, options) => {
      const flags = options.create ? constants.O_RDWR | constants.O_CREAT : constants.O_RDWR;
      return fileHandle(await open(path, flags, 0o600));
    },
    list,
    makeDirectory: async (directory) => {
      await mkdir(directory, { recursive: true, mode: 0o700 });
    },
    rename: renameToNew,
    remove: (path) => rm(path),
    directorySync,
  };
}

async function list(directory: string): Promise<readonly string[]> {
  try {
    const names = await readdir(directory);
    return names.sort();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** As some volumes say it that are shared over a network: there, of two who rename at the same moment, the later one stays. */
const linksUnsupported: ReadonlySet<unknown> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/** A rename takes the place of what is there; a link does not. */
async function renameToNew(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && linksUnsupported.has(error.code))) throw error;
    await rename(from, to);
    return;
  }
  await rm(from);
}

async function directorySync(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function fileHandle(handle: NodeFileHandle): FileHandle {
  return {
    write: (data, offset) => writeAll(handle, data, offset),
    read: (offset, length, into) => readUpTo(handle, offset, length, into),
    dataSync: () => handle.datasync(),
    truncate: (length) => handle.truncate(length),
    size: async () => (await handle.stat()).size,
    close: () => handle.close(),
  };
}

/** One write call may take less than it was given, for example on a nearly full disk. */
async function writeAll(handle: NodeFileHandle, data: Buffer, offset: number): Promise<void> {
  let written = 0;
  while (written < data.length) {
    const result = await handle.write(data, written, data.length - written, offset + written);
    written += result.bytesWritten;
  }
}

async function readUpTo(handle: NodeFileHandle, offset: number, length: number, into?: Buffer): Promise<Buffer> {
  // Not from the pool: a record keeps the whole of the memory that it was cut from.
  const buffer = into !== undefined && into.length >= length ? into : Buffer.allocUnsafeSlow(length);
  let read = 0;
  while (read < length) {
    const result = await handle.read(buffer, read, length - read, offset + read);
    if (result.bytesRead === 0) break;
    read += result.bytesRead;
  }
  return buffer.subarray(0, read);
}
