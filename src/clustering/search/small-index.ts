/**
 * Few vectors, in plain arrays, compared with a query by the predicate one after the other: what blocks, shared memories and threads need would be many
 * times their size, and finding what is near takes no time.
 */
import { nearnessFor } from '../distance.ts';
import { hitLists, Hits } from './hits.ts';
import { PointTable } from './point-table.ts';
import type { SearchIndex } from './search-index.ts';

/** Coordinates, of all vectors together: a batch of queries is searched for within a few milliseconds. */
const numbersMax = 65_536;
const rowsMin = 8;

export type SmallIndex = SearchIndex & { /** Whether one more is too many. */ readonly isFull: () => boolean };

export function createSmallIndex(dimensions: number): SmallIndex {
  const points = new PointTable();
  let values = new Float32Array(rowsMin * dimensions);
  let norms = new Float64Array(rowsMin);
  let pointOf = new Int32Array(rowsMin);
  const at = (row: number): Float32Array => values.subarray(row * dimensions, (row + 1) * dimensions);
  const grow = (): void => {
    const rows = Math.ceil(norms.length * 1.5);
    const [longer, longerNorms, longerPoints] = [new Float32Array(rows * dimensions), new Float64Array(rows), new Int32Array(rows)];
    longer.set(values);
    longerNorms.set(norms);
    longerPoints.set(pointOf);
    [values, norms, pointOf] = [longer, longerNorms, longerPoints];
  };
  const put = (row: number, point: number, vector: Float32Array, norm: number): void => {
    values.set(vector, row * dimensions);
    norms[row] = norm;
    pointOf[row] = point;
    points.setRow(point, row);
  };
  const read = (point: number, into: Float32Array): Float32Array => {
    into.set(at(points.row(point)));
    return into;
  };
  return {
    points,
    isFull: () => (points.size + 1) * dimensions > numbersMax,
    add: (vector, norm) => {
      const row = points.size;
      if (row === norms.length) grow();
      const point = points.take();
      put(row, point, vector, norm);
      return point;
    },
    remove: (point) => {
      const row = points.row(point);
      points.give(point);
      const last = points.size;
      if (last !== row) put(row, pointOf[last] as number, at(last), norms[last] as number);
    },
    vector: (point) => read(point, new Float32Array(dimensions)),
    readVector: read,
    norm: (point) => norms[points.row(point)] as number,
    state: () => undefined,
    searchNow: (vectors, parameters) => {
      const near = nearnessFor(parameters);
      const hits = new Hits();
      for (let row = 0; row < points.size; row++) {
        const stored = { vector: at(row), norm: norms[row] as number };
        const point = pointOf[row] as number;
        for (const [index, query] of vectors.entries()) if (query.point !== point && near(query, stored)) hits.add(index, point);
      }
      return hitLists(hits.grouped(vectors.length));
    },
    settle: () => false,
    wanted: () => [],
    work: () => points.size * dimensions,
    describe: () => ({ kernel: 'plain', reason: `${points.size} vectors of ${dimensions} dimensions: compared one by one` }),
    memoryBytes: () => values.byteLength + norms.byteLength + pointOf.byteLength + points.memoryBytes,
  };
}
