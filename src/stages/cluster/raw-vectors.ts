/**
 * The vectors of a projected collection as the model gave them, which another projection is applied to one day: float32 rows in pages, by the
 * numbers that the clustering gives its items. A page that a snapshot has still to write is copied before it changes.
 */
import { vectorBytes, vectorFromBytes } from '../../clustering/distance.ts';
import { untilClosed } from '../../core/until-closed.ts';

export type RawVectors = {
  readonly dimensions: number;
  readonly set: (index: number, vector: Float32Array) => void;
  /** A copy. */
  readonly get: (index: number) => Float32Array;
  readonly delete: (index: number) => void;
  /**
   * The rows as they are now, in the order of their numbers, whatever changes before the last chunk is taken: little-endian float32. To be read
   * to its end, or closed by `return`.
   */
  readonly snapshot: () => IterableIterator<Buffer>;
  readonly memoryBytes: () => number;
};

const pageFloats = 64 * 1024;

export function createRawVectors(dimensions: number): RawVectors {
  const pageRows = Math.max(1, Math.floor(pageFloats / dimensions));
  const pages: Float32Array[] = [];
  /** Pages that an open snapshot may have to read. */
  let shared = new Set<number>();
  let openSnapshots = 0;
  let isLive = new Uint8Array(0);

  const writable = (number: number): Float32Array => {
    while (pages.length <= number) pages.push(new Float32Array(pageRows * dimensions));
    let page = pages[number] as Float32Array;
    if (shared.delete(number)) {
      page = page.slice();
      pages[number] = page;
    }
    return page;
  };
  const closed = (): void => {
    openSnapshots -= 1;
    if (openSnapshots === 0) shared = new Set();
  };
  return {
    dimensions,
    set: (index, vector) => {
      if (index >= isLive.length) {
        const grown = new Uint8Array(Math.max(64, index + 1 + (index >> 2)));
        grown.set(isLive);
        isLive = grown;
      }
      isLive[index] = 1;
      writable(Math.floor(index / pageRows)).set(vector, (index % pageRows) * dimensions);
    },
    get: (index) => {
      const at = (index % pageRows) * dimensions;
      return pages[Math.floor(index / pageRows)]?.slice(at, at + dimensions) ?? new Float32Array(dimensions);
    },
    delete: (index) => void (isLive[index] = 0),
    snapshot: () => {
      openSnapshots += 1;
      shared = new Set(pages.keys());
      return untilClosed(rowsOf([...pages], isLive.slice(), { dimensions, pageRows }), closed);
    },
    memoryBytes: () => pages.length * pageRows * dimensions * Float32Array.BYTES_PER_ELEMENT + isLive.length,
  };
}

/** The chunks of a snapshot of so many rows, which get the numbers from 0 on; undefined where they are none. */
export async function restoreRawVectors(dimensions: number, count: number, next: () => Promise<Buffer>): Promise<RawVectors | undefined> {
  const raw = createRawVectors(dimensions);
  const rowBytes = dimensions * Float32Array.BYTES_PER_ELEMENT;
  for (let index = 0; index < count; ) {
    const chunk = await next();
    if (chunk.length === 0 || chunk.length % rowBytes !== 0 || index + chunk.length / rowBytes > count) return undefined;
    for (let at = 0; at < chunk.length; at += rowBytes, index++) raw.set(index, vectorFromBytes(chunk.subarray(at, at + rowBytes)));
  }
  return raw;
}

function* rowsOf(pages: readonly Float32Array[], isLive: Uint8Array, { dimensions, pageRows }: { readonly dimensions: number; readonly pageRows: number }): Generator<Buffer> {
  const rowBytes = dimensions * Float32Array.BYTES_PER_ELEMENT;
  for (const [number, page] of pages.entries()) {
    const chunk = Buffer.alloc(pageRows * rowBytes);
    let length = 0;
    for (let row = 0; row < pageRows; row++) {
      if (isLive[number * pageRows + row] !== 1) continue;
      vectorBytes(page.subarray(row * dimensions, (row + 1) * dimensions)).copy(chunk, length);
      length += rowBytes;
    }
    if (length > 0) yield chunk.subarray(0, length);
  }
}
