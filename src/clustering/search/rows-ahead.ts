/**
 * Memory for rows that are about to be loaded. A system gives memory page by page, when it is first written to, which takes as long as copying the rows:
 * so another thread touches the pages, some way ahead of the rows that are being loaded, and whoever loads does not wait for it. What is touched is
 * what will be written to, and no more: of a block the heads of the rows to come, which are most of it.
 */
import { blockRows, extraNumbers, type RowLayout } from './row-layout.ts';
import type { SharedMemory } from './web-assembly.ts';

/** Of bytes; both ends are whole numbers. */
export type MemoryRange = { readonly memory: SharedMemory; readonly start: number; readonly end: number };

/** What rows are stored in, one block after the other. */
export type RowMemories = {
  readonly layout: RowLayout;
  readonly memories: readonly SharedMemory[];
  /** Whether there is memory for a block. */
  readonly makeRoom: (block: number) => boolean;
};

/** How far ahead: who says how many rows will come may be wrong. */
const aheadBytes = 64 * 1024 * 1024;
/** At a time, but for the last ones. */
const pieceBytes = 4 * 1024 * 1024;

/**
 * @param rows to come, into memories that hold none.
 * @returns for how many rows there are by now, what is to be touched for those that follow, each piece once.
 */
export function rowsAhead(store: RowMemories, rows: number): (stored: number) => readonly MemoryRange[] {
  const { layout } = store;
  const rowBytes = 4 * (layout.dimensions + extraNumbers);
  const inBytes = (bytes: number): number => Math.max(1, Math.floor(bytes / rowBytes));
  let given = 0;
  return (stored) => {
    const end = Math.min(rows, stored + inBytes(aheadBytes));
    if (end < rows && end - given < inBytes(pieceBytes)) return [];
    given = Math.max(given, Math.min(stored, end));
    const ranges: MemoryRange[] = [];
    while (given < end) {
      const block = Math.floor(given / blockRows);
      const until = Math.min(end, (block + 1) * blockRows);
      const memory = store.makeRoom(block) ? store.memories[Math.floor(block / layout.blocksPerSegment)] : undefined;
      // It will be asked for again, by the rows themselves.
      if (memory === undefined) return ranges;
      const address = layout.base + (block % layout.blocksPerSegment) * layout.blockBytes - block * blockRows * rowBytes;
      ranges.push({ memory, start: address + given * rowBytes, end: address + until * rowBytes });
      given = until;
    }
    return ranges;
  };
}

const touchedBytes = 4096;

/** Leaves the bytes as they are, whoever else writes to them meanwhile. */
export function touchRange({ memory, start, end }: MemoryRange): void {
  const words = new Int32Array(memory.buffer, 0, memory.buffer.byteLength >> 2);
  const last = Math.min(end >> 2, words.length) - 1;
  for (let word = start >> 2; word <= last; word += touchedBytes >> 2) Atomics.or(words, word, 0);
  if (last >= start >> 2) Atomics.or(words, last, 0);
}
