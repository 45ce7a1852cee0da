/** A container of blobs in memory that keeps the rules of the real one, and whose requests can be made to fail. */
import type { BlobContainer, StoredBlob } from '../../src/stores/blob-container.ts';

export type ContainerRequest = 'list' | 'stage' | 'commit' | 'read' | 'remove';

export type MemoryContainer = BlobContainer & {
  readonly blobs: Map<string, { readonly bytes: Buffer; readonly etag: string }>;
  /** Puts bytes under a name, whatever is there. */
  readonly put: (name: string, bytes: Buffer) => void;
  readonly stagedBytes: () => number;
  /** Asked before every request; what it resolves with is thrown, after the request took effect where `late` says so. */
  fault: (request: ContainerRequest, signal: AbortSignal) => Promise<{ readonly error: Error; readonly late?: boolean } | undefined>;
};

export function createMemoryContainer(): MemoryContainer {
  const blobs: MemoryContainer['blobs'] = new Map();
  const staged = new Map<string, Map<string, Buffer>>();
  let versions = 0;
  const put = (name: string, bytes: Buffer): void => void blobs.set(name, { bytes, etag: `"${(versions += 1)}"` });
  const isThere = ({ name, etag }: StoredBlob): boolean => blobs.get(name)?.etag === etag;
  const request = async <Result>(kind: ContainerRequest, signal: AbortSignal, effect: () => Result): Promise<Result> => {
    const fault = await container.fault(kind, signal);
    if (fault !== undefined && fault.late !== true) throw fault.error;
    const result = effect();
    if (fault !== undefined) throw fault.error;
    return result;
  };
  const container: MemoryContainer = {
    blobs,
    put,
    stagedBytes: () => [...staged.values()].flatMap((blocks) => [...blocks.values()]).reduce((sum, { length }) => sum + length, 0),
    fault: () => Promise.resolve(undefined),
    describe: (name) => `snapshots/${name}`,
    list: (prefix, signal) =>
      request('list', signal, () =>
        [...blobs].filter(([name]) => name.startsWith(prefix)).map(([name, { bytes, etag }]) => ({ name, bytes: bytes.length, etag })).sort((left, right) => (left.name < right.name ? -1 : 1)),
      ),
    stage: (name, blockId, data, signal) =>
      request('stage', signal, () => {
        const blocks = staged.get(name) ?? new Map<string, Buffer>();
        for (const other of blocks.keys()) if (other.length !== blockId.length) throw new Error('block ids of one blob have equal length');
        staged.set(name, blocks.set(blockId, Buffer.from(data)));
      }),
    commit: (name, blockIds, signal) =>
      request('commit', signal, () => {
        if (blobs.has(name)) return 'exists';
        const blocks = blockIds.map((blockId) => staged.get(name)?.get(blockId));
        if (blocks.includes(undefined)) throw new Error('a block that was not staged');
        staged.delete(name);
        put(name, Buffer.concat(blocks.flatMap((block) => block ?? [])));
        return 'committed';
      }),
    read: (blob, offset, length, signal) =>
      request('read', signal, () => (isThere(blob) ? (blobs.get(blob.name)?.bytes ?? Buffer.alloc(0)).subarray(offset, offset + length) : 'gone')),
    remove: (blob, signal) =>
      request('remove', signal, () => {
        if (isThere(blob)) blobs.delete(blob.name);
      }),
  };
  return container;
}
