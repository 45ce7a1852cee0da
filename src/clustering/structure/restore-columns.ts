/** Reads the chunks of a snapshot of format 4 (snapshot-format.ts) as they come. */
import type { OpenSearch } from '../neighbour-search.ts';
import { createIntList, pushInt, restoreNeighbours, type IntList } from './adjacency.ts';
import { createEngineState, linkItem, type EngineState } from './engine-state.ts';
import { nameCluster } from './cluster-table.ts';
import { addItemBytes, reserveItems, writeTold } from './item-table.ts';
import { openPoint, pointFields } from './points.ts';
import { addToField, readField } from './records.ts';
import { restoreNames } from './restore-canonical.ts';
import { at, placePoints } from './restored-state.ts';
import { chunkKinds, decodeChunk, requireCounts, type ColumnHeader } from './snapshot-format.ts';

const { weight, density } = pointFields;

type Restoring = {
  readonly state: EngineState;
  readonly header: ColumnHeader;
  readonly take: () => Promise<Buffer>;
  readonly names: readonly number[];
};

export async function restoreColumns(header: ColumnHeader, take: () => Promise<Buffer>, openSearch: OpenSearch): Promise<EngineState> {
  requireCounts({ pointCount: header.pointCount, edgeCount: header.edgeCount });
  const state = createEngineState(header.parameters, header.identity, openSearch);
  state.sequence = header.sequence === null ? undefined : BigInt(header.sequence);
  const names = await restoreNames(state, header.chunks, take);
  if (header.itemCount === 0) return state;
  state.stored.open(header.dimensions, state.parameters, true);
  const restoring: Restoring = { state, header, take, names };
  const { cores, anchors } = await restorePoints(restoring);
  await restoreItems(restoring);
  await restoreVectors(restoring);
  await restoreLists(restoring);
  placePoints(
    state,
    header.pointCount,
    (point) => (cores.values[point] === -1 ? -1 : at(names, cores.values[point] as number)),
    (point) => anchors.values[point] as number,
  );
  return state;
}

async function restorePoints({ state, header, take }: Restoring): Promise<{ cores: IntList; anchors: IntList }> {
  const cores = createIntList();
  const anchors = createIntList();
  while (cores.length < header.pointCount) {
    const chunk = decodeChunk(await take(), chunkKinds.points);
    for (const core of chunk.ints(chunk.count)) {
      openPoint(state.structure.points, cores.length);
      pushInt(cores, core);
    }
    for (const anchor of chunk.ints(chunk.count)) pushInt(anchors, anchor);
  }
  if (cores.length !== header.pointCount) throw new RangeError(`it holds ${cores.length} points instead of ${header.pointCount}`);
  return { cores, anchors };
}

async function restoreItems({ state, header, take, names }: Restoring): Promise<void> {
  const { items, clusters } = state;
  const { records } = state.structure.points;
  reserveItems(items, header.itemCount);
  while (items.size < header.itemCount) {
    const chunk = decodeChunk(await take(), chunkKinds.items);
    const [points, told, low, high, lengths] = Array.from({ length: 5 }, () => chunk.ints(chunk.count)) as Columns;
    const ids = chunk.rest();
    let offset = 0;
    for (let index = 0; index < chunk.count; index++) {
      const length = lengths[index] as number;
      const point = points[index] as number;
      if (length < 0 || offset + length > ids.length) throw new RangeError('a chunk ends within an id');
      if (point < 0 || point >= header.pointCount) throw new RangeError(`there is no point ${point}`);
      const item = addItemBytes(items, { bytes: ids, start: offset, length }, point);
      offset += length;
      linkItem(state, item, point);
      addToField(records, point, weight, 1);
      addToField(records, point, density, 1);
      const cluster = told[index] === -1 ? -1 : at(names, told[index] as number);
      if (cluster !== -1) nameCluster(clusters, cluster);
      writeTold(items, item, cluster, low[index] as number, high[index] as number);
    }
  }
  if (items.size !== header.itemCount) throw new RangeError(`it holds ${items.size} items instead of ${header.itemCount}`);
}

type Columns = [Int32Array, Int32Array, Int32Array, Int32Array, Int32Array];

async function restoreVectors({ state, header, take }: Restoring): Promise<void> {
  const { search } = state.structure;
  for (let count = 0; count < header.pointCount;) {
    const chunk = decodeChunk(await take(), chunkKinds.vectors);
    const rows = chunk.floats();
    count += chunk.count;
    if (rows.length !== header.dimensions * chunk.count || count > header.pointCount) throw new RangeError('a chunk of vectors has the wrong length');
    search.load(rows);
  }
}

async function restoreLists({ state, header, take }: Restoring): Promise<void> {
  const { adjacency, points: { records } } = state.structure;
  const isFolded = header.itemCount > header.pointCount;
  let left = 2 * header.edgeCount;
  let balance = 0;
  while (left > 0) {
    const chunk = decodeChunk(await take(), chunkKinds.lists);
    const runs = chunk.ints(chunk.count);
    for (let index = 0; index < runs.length;) {
      const point = runs[index] as number;
      const start = index + 2;
      const end = start + (runs[index + 1] ?? -1);
      if (!(end > start) || end > runs.length || !(point >= 0 && point < header.pointCount)) throw new RangeError('a chunk of lists is none');
      const sums = sumsOf(runs, start, end, point, header.pointCount);
      balance = (balance + sums.balance) | 0;
      let around = end - start;
      if (isFolded) {
        around = 0;
        for (index = start; index < end; index++) around += readField(records, runs[index] as number, weight);
      }
      addToField(records, point, density, around);
      restoreNeighbours(adjacency, point, runs, { start, end }, sums.greatest);
      left -= end - start;
      index = end;
    }
  }
  if (left < 0) throw new RangeError(`it holds more than ${header.edgeCount} edges`);
  if (balance !== 0) throw new RangeError('some point lists another that does not list it');
  adjacency.edgeCount = header.edgeCount;
}

/**
 * @returns balance: adds up to 0 (modulo 2^32) over all lists where every edge is in those of both its ends, and hardly elsewhere. greatest: not below any neighbour.
 * @throws RangeError for what is no neighbour
 */
function sumsOf(runs: Int32Array, start: number, end: number, point: number, pointCount: number): { readonly balance: number; readonly greatest: number } {
  // Of every neighbour (point + 1) * scattered(neighbour) - (neighbour + 1) * scattered(point): what all have in common is outside of the loop.
  let scatteredSum = 0;
  let plainSum = end - start;
  let greatest = 0;
  // Its sign is set by a number that is no neighbour: below 0, from `pointCount` on, or the point itself. Branches would take as long as all the rest.
  let wrong = 0;
  for (let index = start; index < end; index++) {
    const other = runs[index] as number;
    wrong |= other | (pointCount + ~other) | ((other ^ point) - 1);
    scatteredSum = (scatteredSum + scattered(other)) | 0;
    plainSum = (plainSum + other) | 0;
    greatest |= other;
  }
  if (wrong < 0) throw new RangeError(`point ${point} lists what is no other point`);
  return { balance: (Math.imul(point + 1, scatteredSum) - Math.imul(plainSum, scattered(point))) | 0, greatest };
}

function scattered(value: number): number {
  const mixed = Math.imul(value ^ 0x5bd1e995, 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
}
