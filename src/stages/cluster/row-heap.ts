/** Rows in an order, the first at hand: a binary heap that knows where each row is in it, so that any can be taken out. 8 bytes a row. */
export type RowHeap = {
  readonly add: (row: number) => void;
  readonly remove: (row: number) => void;
  /** -1: none. */
  readonly first: () => number;
  readonly memoryBytes: () => number;
};

const rowsMin = 16;

/** @param compare two rows, as they are while both are in it. */
export function createRowHeap(compare: (left: number, right: number) => number): RowHeap {
  let heap = new Int32Array(rowsMin);
  let size = 0;
  /** By row, its place in the heap. */
  let places = new Int32Array(rowsMin);

  const put = (row: number, place: number): void => {
    heap[place] = row;
    places[row] = place;
  };
  const rowAt = (place: number): number => heap[place] as number;

  function rise(row: number, from: number): number {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (compare(row, rowAt(parent)) >= 0) break;
      put(rowAt(parent), place);
      place = parent;
    }
    put(row, place);
    return place;
  }

  function sink(row: number, from: number): void {
    let place = from;
    for (;;) {
      const left = 2 * place + 1;
      if (left >= size) break;
      const child = left + 1 < size && compare(rowAt(left + 1), rowAt(left)) < 0 ? left + 1 : left;
      if (compare(row, rowAt(child)) <= 0) break;
      put(rowAt(child), place);
      place = child;
    }
    put(row, place);
  }

  return {
    add: (row) => {
      if (size === heap.length) heap = grown(heap, size + 1);
      if (row >= places.length) places = grown(places, row + 1);
      size += 1;
      rise(row, size - 1);
    },
    remove: (row) => {
      const place = places[row] as number;
      size -= 1;
      const last = rowAt(size);
      if (last !== row && rise(last, place) === place) sink(last, place);
    },
    first: () => (size === 0 ? -1 : rowAt(0)),
    memoryBytes: () => heap.byteLength + places.byteLength,
  };
}

function grown(column: Int32Array<ArrayBuffer>, lengthMin: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(Math.max(lengthMin, Math.ceil(1.25 * column.length)));
  larger.set(column);
  return larger;
}
