/**
 * Writes a snapshot of the state as it is when the writer is opened, chunk by chunk, while records go on changing it. For that
 *
 * - of items and points, whose columns are short, ranges of 2,048 are encoded the moment one of them is about to change, unless they are
 *   written already;
 * - a point that goes is kept by the search until the end, since its vector is still to be written; nothing else gets its number;
 * - edges only change with their points. A point's list is written when its turn comes; of a point that goes, what is not written yet is set
 *   aside, of its own list and of those of its neighbours, and written at the end. Points that came later have no rank.
 */
import { untilClosed } from '../../core/until-closed.ts';
import { vectorBytes } from '../distance.ts';
import type { NeighbourSearch } from '../neighbour-search.ts';
import { createIntList, pushInt, readNeighbours, type Adjacency, type IntList } from './adjacency.ts';
import { namesOf, type Names } from './snapshot-names.ts';
import { componentFields } from './component-table.ts';
import type { EngineState } from './engine-state.ts';
import { idBytes, itemFields } from './item-table.ts';
import { isLive, pointFields, pointLimit } from './points.ts';
import { copyRecords, readField, type Records } from './records.ts';
import { chunkBytesMax, chunkHeadBytes, chunkKinds, columnFormat, encodeInts, type ColumnHeader } from './snapshot-format.ts';

const rangeBits = 11;
const rangeLength = 1 << rangeBits;
const { component, anchor } = pointFields;

/** One kind of rows: ranges of them that are saved, and the first that is not written yet. */
type Rows = { readonly limit: number; readonly saved: Map<number, Buffer[]>; next: number; readonly encode: (range: number) => Buffer[] };

type Writer = {
  readonly state: EngineState;
  readonly header: ColumnHeader;
  /** The one that has the vectors, whatever comes. */
  readonly search: NeighbourSearch | undefined;
  readonly names: Names;
  /** Point -> its place among the points of the snapshot, -1: not in it. */
  readonly ranks: Int32Array;
  /** Component -> the name of its cluster. */
  readonly componentNames: Int32Array;
  readonly points: Rows;
  readonly items: Rows;
  /** What is near what; one of its own once all has been made anew. */
  adjacency: Adjacency;
  isDetached: boolean;
  /** Points below it have had their lists written. */
  listCursor: number;
  /** Set aside: pairs of ranks, a point and a neighbour of it. */
  readonly aside: IntList;
};

/** As it is now. To be read to its end, or closed by `return`. */
export function snapshotChunks(state: EngineState): IterableIterator<Buffer> {
  const writer = openWriter(state);
  const release = state.stored.hold();
  const unwatch = watch(writer);
  return untilClosed(chunksOf(writer), () => {
    unwatch();
    release();
  });
}

function openWriter(state: EngineState): Writer {
  const { structure, items } = state;
  const names = namesOf(state.clusters);
  const ranks = new Int32Array(pointLimit(structure.points));
  let pointCount = 0;
  for (let point = 0; point < ranks.length; point++) ranks[point] = isLive(structure.points, point) ? pointCount++ : -1;
  const componentNames = new Int32Array(structure.components.count);
  for (let index = 0; index < componentNames.length; index++) {
    if (readField(structure.components.records, index, componentFields.points) === 0) continue;
    componentNames[index] = names.indices[readField(structure.components.records, index, componentFields.cluster)] as number;
  }
  const { metric, eps, minPoints } = state.parameters;
  const { collection, epoch, generation } = state.identity;
  const header: ColumnHeader = {
    format: columnFormat,
    parameters: { metric, eps, minPoints },
    identity: { collection, epoch, generation },
    sequence: state.sequence === undefined ? null : String(state.sequence),
    dimensions: items.size === 0 ? 0 : (state.stored.dimensions() ?? 0),
    chunks: { clusters: names.clusterChunks.length, aliases: names.aliasChunks.length },
    itemCount: items.size,
    pointCount,
    edgeCount: structure.adjacency.edgeCount,
  };
  const { adjacency } = structure;
  const rows = (limit: number, encode: Rows['encode']): Rows => ({ limit, saved: new Map(), next: 0, encode });
  const writer: Writer = {
    state, header, search: items.size === 0 ? undefined : structure.search, names, ranks, componentNames, adjacency, isDetached: false, listCursor: 0, aside: createIntList(),
    points: rows(ranks.length, (range) => encodePoints(writer, range)),
    items: rows(items.limit, (range) => encodeItems(writer, range)),
  };
  return writer;
}

/** @returns what ends it. */
function watch(writer: Writer): () => void {
  const { watchers } = writer.state;
  const watcher = {
    beforeItem: (item: number) => save(writer.items, item),
    beforePoint: (point: number) => save(writer.points, point),
    beforeBurial: (point: number, neighbours: IntList) => setAside(writer, point, neighbours),
    beforeRebuild: () => detach(writer),
  };
  watchers.add(watcher);
  return () => void watchers.delete(watcher);
}

function save(rows: Rows, index: number): void {
  const range = index >> rangeBits;
  if (index < rows.limit && range >= rows.next && !rows.saved.has(range)) rows.saved.set(range, rows.encode(range));
}

function* written(rows: Rows): Generator<Buffer> {
  const end = Math.ceil(rows.limit / rangeLength);
  while (rows.next < end) {
    const range = rows.next;
    const chunks = rows.saved.get(range) ?? rows.encode(range);
    rows.saved.delete(range);
    rows.next++;
    yield* chunks;
  }
}

function* chunksOf(writer: Writer): Generator<Buffer> {
  yield Buffer.from(JSON.stringify(writer.header));
  yield* writer.names.clusterChunks;
  yield* writer.names.aliasChunks;
  yield* written(writer.points);
  yield* written(writer.items);
  yield* vectorChunks(writer);
  yield* listChunks(writer);
}

function encodePoints({ state, ranks, componentNames }: Writer, range: number): Buffer[] {
  const { records } = state.structure.points;
  const cores: number[] = [];
  const anchors: number[] = [];
  const end = Math.min(ranks.length, (range + 1) * rangeLength);
  for (let point = range * rangeLength; point < end; point++) {
    if (ranks[point] === -1) continue;
    const index = readField(records, point, component);
    const core = readField(records, point, anchor);
    cores.push(index === -1 ? -1 : (componentNames[index] as number));
    anchors.push(index !== -1 || core === -1 ? -1 : (ranks[core] as number));
  }
  return cores.length === 0 ? [] : [encodeInts(chunkKinds.points, cores.length, Int32Array.from([...cores, ...anchors]))];
}

/** What an item takes beside its id. */
const itemBytes = 5 * 4;

function encodeItems({ state: { items }, items: { limit }, ranks, names }: Writer, range: number): Buffer[] {
  const { records } = items;
  const chunks: Buffer[] = [];
  let ints: number[][] = [[], [], [], [], []];
  let ids: Uint8Array[] = [];
  let bytes = chunkHeadBytes;
  const flush = (): void => {
    if (ids.length > 0) chunks.push(encodeInts(chunkKinds.items, ids.length, Int32Array.from(ints.flat()), ids));
    ints = [[], [], [], [], []];
    ids = [];
    bytes = chunkHeadBytes;
  };
  const end = Math.min(limit, (range + 1) * rangeLength);
  for (let item = range * rangeLength; item < end; item++) {
    const point = readField(records, item, itemFields.point);
    if (point === -1) continue;
    const id = idBytes(items, item);
    if (bytes + itemBytes + id.length > chunkBytesMax) flush();
    bytes += itemBytes + id.length;
    const told = readField(records, item, itemFields.told);
    const low = readField(records, item, itemFields.low);
    const high = readField(records, item, itemFields.high);
    for (const [column, value] of [ranks[point] as number, told < 0 ? -1 : (names.indices[told] as number), low, high, id.length].entries()) {
      ints[column]?.push(value);
    }
    ids.push(id);
  }
  flush();
  return chunks;
}

function* vectorChunks({ search, header, ranks }: Writer): Generator<Buffer> {
  const { dimensions } = header;
  const rowsMax = Math.max(1, Math.floor((chunkBytesMax - chunkHeadBytes) / (4 * dimensions)));
  let rows: Buffer[] = [];
  for (const [point, rank] of ranks.entries()) {
    // A view would be of whatever is stored there when the chunk is full.
    if (rank !== -1 && search !== undefined) rows.push(Buffer.from(vectorBytes(search.vector(point))));
    if (rows.length === rowsMax || (point === ranks.length - 1 && rows.length > 0)) {
      yield encodeInts(chunkKinds.vectors, rows.length, new Int32Array(0), rows);
      rows = [];
    }
  }
}

const chunkInts = (chunkBytesMax - chunkHeadBytes) / 4;
function* listChunks(writer: Writer): Generator<Buffer> {
  const { ranks, aside } = writer;
  const neighbours = createIntList();
  const run = createIntList();
  const chunk = createIntList();
  for (const [point, rank] of ranks.entries()) {
    writer.listCursor = point + 1;
    if (rank === -1) continue;
    readNeighbours(writer.adjacency, point, neighbours);
    run.length = 0;
    for (let index = 0; index < neighbours.length; index++) {
      const other = ranks[neighbours.values[index] as number] ?? -1;
      if (other !== -1) pushInt(run, other);
    }
    yield* addRun(chunk, rank, run);
  }
  for (let index = 0; index < aside.length; index += 2) {
    run.length = 0;
    pushInt(run, aside.values[index + 1] as number);
    yield* addRun(chunk, aside.values[index] as number, run);
  }
  if (chunk.length > 0) yield closeChunk(chunk);
}

/** @returns chunks that are full by it. */
function addRun(chunk: IntList, rank: number, run: IntList): Buffer[] {
  const full: Buffer[] = [];
  for (let start = 0; start < run.length;) {
    const room = chunkInts - chunk.length - 2;
    if (room < 1) {
      full.push(closeChunk(chunk));
      continue;
    }
    const end = Math.min(run.length, start + room);
    pushInt(chunk, rank);
    pushInt(chunk, end - start);
    for (; start < end; start++) pushInt(chunk, run.values[start] as number);
  }
  return full;
}

function closeChunk(chunk: IntList): Buffer {
  const closed = encodeInts(chunkKinds.lists, chunk.length, chunk.values.subarray(0, chunk.length));
  chunk.length = 0;
  return closed;
}

/** A point goes, with these neighbours: what is still to be written of its list and theirs is kept. */
function setAside({ ranks, aside, listCursor, isDetached }: Writer, point: number, neighbours: IntList): void {
  const own = ranks[point] ?? -1;
  if (own === -1 || isDetached) return;
  const keep = (rank: number, neighbour: number): void => {
    pushInt(aside, rank);
    pushInt(aside, neighbour);
  };
  for (let index = 0; index < neighbours.length; index++) {
    const neighbour = neighbours.values[index] as number;
    const other = ranks[neighbour] ?? -1;
    if (other === -1) continue;
    if (point >= listCursor) keep(own, other);
    if (neighbour >= listCursor) keep(other, own);
  }
}

/** The graph is about to be made anew: the former one is the writer's from here on. */
function detach(writer: Writer): void {
  for (let point = 0; point < writer.points.limit; point += rangeLength) save(writer.points, point);
  if (writer.isDetached) return;
  writer.isDetached = true;
  const { points } = writer.adjacency;
  const records: Records = copyRecords(points.records);
  writer.adjacency = { ...writer.adjacency, points: { ...points, records, flags: points.flags.slice() } };
}
