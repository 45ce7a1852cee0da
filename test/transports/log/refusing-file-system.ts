/** The real disk, which counts what it is asked for and refuses it on demand. */
import type { FileHandle, FileSystem } from '../../../src/pipeline/file-system.ts';
import { createNodeFileSystem } from '../../../src/pipeline/node-file-system.ts';

export type DiskCall = { readonly call: 'open' | keyof FileHandle | keyof FileSystem; readonly path: string };

export type RefusingFileSystem = FileSystem & {
  readonly calls: readonly DiskCall[];
  readonly openHandles: () => number;
  /** From now on the calls that `concerned` answers with a code for fail with it. */
  readonly refuse: (concerned: (call: DiskCall) => 'EIO' | 'ENOSPC' | undefined) => void;
};

export function createRefusingFileSystem(): RefusingFileSystem {
  const inner = createNodeFileSystem();
  const calls: DiskCall[] = [];
  let openHandles = 0;
  let concerned: (call: DiskCall) => 'EIO' | 'ENOSPC' | undefined = () => undefined;
  const ask = async (call: DiskCall['call'], path: string): Promise<void> => {
    calls.push({ call, path });
    await Promise.resolve();
    const code = concerned({ call, path });
    if (code !== undefined) throw Object.assign(new Error(`${code}: ${call} ${path}`), { code });
  };
  const wrap = (handle: FileHandle, path: string): FileHandle => ({
    write: async (data, offset) => {
      try {
        await ask('write', path);
      } catch (error) {
        // A full disk takes a part.
        await handle.write(data.subarray(0, data.length >>> 1), offset);
        throw error;
      }
      await handle.write(data, offset);
    },
    read: (offset, length) => ask('read', path).then(() => handle.read(offset, length)),
    dataSync: () => ask('dataSync', path).then(() => handle.dataSync()),
    truncate: (length) => ask('truncate', path).then(() => handle.truncate(length)),
    size: () => ask('size', path).then(() => handle.size()),
    close: async () => {
      openHandles -= 1;
      await handle.close();
    },
  });
  return {
    calls,
    openHandles: () => openHandles,
    refuse: (next) => (concerned = next),
    open: async (path, options) => {
      await ask('open', path);
      const handle = await inner.open(path, options);
      openHandles += 1;
      return wrap(handle, path);
    },
    list: (directory) => ask('list', directory).then(() => inner.list(directory)),
    makeDirectory: (directory) => ask('makeDirectory', directory).then(() => inner.makeDirectory(directory)),
    rename: (from, to) => ask('rename', from).then(() => inner.rename(from, to)),
    remove: (path) => ask('remove', path).then(() => inner.remove(path)),
    directorySync: (directory) => ask('directorySync', directory).then(() => inner.directorySync(directory)),
  };
}
