/** Reads a blob from beginning to end in windows, the next one on its way while one is read. Holds two windows and what is asked for. */
import type { FileHandle } from '../pipeline/file-system.ts';

/** Resolves with exactly these bytes. */
export type ReadRange = (offset: number, length: number) => Promise<Buffer>;

export function createBlobReader(bytes: number, windowBytes: number, readRange: ReadRange): Pick<FileHandle, 'size' | 'read'> {
  const windows = new Map<number, Promise<Buffer>>();
  const windowAt = (index: number): Promise<Buffer> => {
    const known = windows.get(index);
    if (known !== undefined) return known;
    const offset = index * windowBytes;
    const window = readRange(offset, Math.min(windowBytes, bytes - offset));
    // The one ahead may fail before it is asked for, or never be.
    window.catch(() => undefined);
    windows.set(index, window);
    return window;
  };
  return {
    size: () => Promise.resolve(bytes),
    read: async (offset, length) => {
      const end = Math.min(offset + length, bytes);
      const parts: Buffer[] = [];
      for (let at = offset; at < end; ) {
        const index = Math.floor(at / windowBytes);
        for (const old of windows.keys()) if (old < index) windows.delete(old);
        const current = windowAt(index);
        if ((index + 1) * windowBytes < bytes) void windowAt(index + 1);
        const begin = index * windowBytes;
        const part = (await current).subarray(at - begin, end - begin);
        parts.push(part);
        at += part.length;
      }
      return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
    },
  };
}
