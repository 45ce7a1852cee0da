import { partitionFolder, snapshotName } from '../../src/pipeline/stored-snapshots.ts';
import type { SnapshotHeader, SnapshotKey, StateStore } from '../../src/pipeline/state-store.ts';

export type MemoryStateStore = StateStore & { readonly headers: () => readonly SnapshotHeader[] };

/** @param fails asked before every write. */
export function createMemoryStateStore(fails: () => Error | undefined = () => undefined): MemoryStateStore {
  let stored: { readonly header: SnapshotHeader; readonly chunks: readonly Buffer[] }[] = [];
  const isOf = (key: SnapshotKey, header: SnapshotHeader): boolean =>
    key.stage === header.stage && key.topic === header.topic && key.incarnation === header.incarnation && key.partition === header.partition;
  return {
    headers: () => stored.map(({ header }) => header),
    write: async (header, chunks) => {
      const copied: Buffer[] = [];
      for (const chunk of chunks) {
        copied.push(Buffer.from(chunk));
        await Promise.resolve();
      }
      const error = fails();
      if (error !== undefined) throw error;
      stored.push({ header, chunks: copied });
    },
    readNewest: async (key, sequence, read) => {
      const found = stored
        .filter(({ header }) => isOf(key, header) && header.sequence <= sequence)
        .sort((left, right) => Number(right.header.sequence - left.header.sequence))[0];
      return found && (await read({ header: found.header, chunks: inTurns(found.chunks) }));
    },
    names: (stage) =>
      Promise.resolve(stored.flatMap(({ header }) => (header.stage === stage ? [`${partitionFolder(header)}/${snapshotName(header.sequence)}`] : []))),
    list: (key) =>
      Promise.resolve(
        stored.flatMap(({ header }) => (isOf(key, header) ? [header.sequence] : [])).sort((left, right) => Number(right - left)),
      ),
    discardAbove: (key, sequence) => {
      const isDiscarded = ({ header }: { readonly header: SnapshotHeader }): boolean => isOf(key, header) && header.sequence > sequence;
      const discarded = stored.filter(isDiscarded).map(({ header }) => header.sequence);
      stored = stored.filter((each) => !isDiscarded(each));
      return Promise.resolve(discarded);
    },
  };
}

async function* inTurns(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield await Promise.resolve(chunk);
}
