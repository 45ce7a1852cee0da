/**
 * The state of a partition as bytes. Frames of `length (uint32, big-endian) | kind (1 byte) | payload`, one per chunk; reading does not depend
 * on where chunks are cut.
 *
 *   head            JSON: epoch, engine version, claim, time, marks, families with their definitions, resets to be told (not in format 1)
 *   tombstones ...  JSON
 *   per collection: collection (JSON), clustering ... (as the engine gives them), what items share ... (JSON), items ... (item-rows.ts),
 *                   of a projected collection vectors ... (raw-vectors.ts);
 *                   up to format 2: items ... (JSON) after the clustering
 *   end             JSON: how many frames came before it
 *
 * Everything is in the byte order of its keys, but the clusterings and items, which are in an order of their own: equal states give chunks that
 * restore equal states, and a state that was restored gives the same chunks again.
 *
 * What can change is noted when the snapshot is opened: marks by reference, since they are replaced, never changed; clusterings, items and
 * tombstones keep what changes afterwards. The frames are made lazily, so that a writer can yield between them, and records are folded meanwhile.
 */
import { restoreClustering } from '../../clustering/incremental-dbscan.ts';
import type { Clustering, ClusteringParameters } from '../../clustering/clustering.ts';
import type { Define, ReadCoordinate } from '../../core/events.generated.ts';
import { clusterError } from '../../core/errors/cluster.ts';
import type { LabelstreamError } from '../../core/errors/error.ts';
import { untilClosed } from '../../core/until-closed.ts';
import { requireKnownEngine } from './engine-version.ts';
import { closeCollections } from './families.ts';
import type { ItemNames, OpenItemRows } from './item-rows.ts';
import { raiseMark } from './marks.ts';
import { itemCountsOf, nameBatches, restoreFormerItems, restoreItems, type FormerItem, type StoredItemCounts } from './snapshot-items.ts';
import { restoreRawVectors } from './raw-vectors.ts';
import { openTombstones, restoreTombstones, type OpenTombstones, type StoredTombstone } from './snapshot-tombstones.ts';
import {
  adoptState, emptyState, sortedByKey,
  type Claim, type CollectionName, type CollectionState, type DeclaredModel, type FamilyState, type PartitionState, type PendingGeneration,
} from './state.ts';
import { rebuildAgeOrders } from './window.ts';

const format = 3;
/** With items as JSON. */
const formerFormats: readonly unknown[] = [1, 2];
const entriesPerFrame = 512;
const frameKinds = { head: 1, tombstones: 2, collection: 3, clustering: 4, items: 5, end: 6, itemNames: 7, itemRows: 8, vectors: 9 } as const;
type FrameKind = keyof typeof frameKinds;
const lengthBytes = 4;
const headerBytes = lengthBytes + 1;

type Stored<Value> = {
  readonly [Key in keyof Value]: Value[Key] extends bigint ? string : Value[Key] extends bigint | null ? string | null : Value[Key];
};
type StoredFamily = {
  readonly name: string;
  readonly definition: Stored<Define>;
  readonly parameters: ClusteringParameters;
  /** Absent up to format 2, where there is none. */
  readonly projectionSha256?: string | null;
  readonly generation: string;
  readonly pending?: Stored<PendingGeneration>;
  readonly declaredModels: readonly DeclaredModel[];
};
type Head = {
  readonly format: number;
  readonly epoch: number;
  /** Absent up to format 2. */
  readonly engineVersion?: number;
  readonly claim?: Stored<Claim>;
  readonly timeMs: number;
  readonly marks: readonly Stored<ReadCoordinate>[];
  readonly families: readonly StoredFamily[];
  readonly pendingResets?: readonly CollectionName[];
};
type StoredCollection = {
  readonly family: string;
  readonly name: string;
  readonly clusterNames: readonly (readonly [string, string])[];
  /** Absent where it is not. */
  readonly isFrozen?: true;
} & StoredItemCounts;

/** The state as it is now, whatever is folded into it before the last chunk is taken. To be read to its end, or closed by `return`. */
export function snapshotState(state: PartitionState): IterableIterator<Buffer> {
  const opened = openSnapshot(state);
  return untilClosed(framesWithEnd(opened), () => {
    opened.tombstones.close();
    for (const { clustering, vectors } of opened.collections) {
      clustering.return?.();
      vectors?.return?.();
    }
  });
}

type OpenCollection = {
  readonly stored: StoredCollection;
  readonly clustering: Iterator<Buffer>;
  items: OpenItemRows | undefined;
  /** Of a projected collection, in the order of its items. */
  readonly vectors: IterableIterator<Buffer> | undefined;
};

type OpenSnapshot = {
  readonly head: Buffer;
  readonly tombstones: OpenTombstones;
  readonly collections: readonly OpenCollection[];
};

function openSnapshot(state: PartitionState): OpenSnapshot {
  const collections = sortedByKey(state.families).flatMap(([, family]) =>
    sortedByKey(family.collections).map(([name, { clusterNames, isFrozen, items, clustering, raw }]): OpenCollection => {
      const opened = items.open();
      const stored = { family: family.name, name, clusterNames: sortedByKey(clusterNames), ...itemCountsOf(opened), ...(isFrozen ? { isFrozen } : {}) };
      return { stored, clustering: clustering.snapshot()[Symbol.iterator](), items: opened, vectors: raw?.snapshot() };
    }),
  );
  return { head: jsonFrame('head', headOf(state)), tombstones: openTombstones(state.tombstones), collections };
}

function* framesWithEnd(opened: OpenSnapshot): Generator<Buffer> {
  let frameCount = 0;
  for (const chunk of bodyOf(opened)) {
    frameCount += 1;
    yield chunk;
  }
  yield jsonFrame('end', { frameCount });
}

function* bodyOf({ head, tombstones, collections }: OpenSnapshot): Generator<Buffer> {
  yield head;
  for (const batch of inBatches(tombstones.stored)) yield jsonFrame('tombstones', batch);
  for (const collection of collections) {
    yield jsonFrame('collection', collection.stored);
    for (let next = collection.clustering.next(); next.done !== true; next = collection.clustering.next()) yield frame('clustering', next.value);
    if (collection.items !== undefined) yield* itemFrames(collection.items);
    // What is changed meanwhile need not stay as it was until the last collection is written.
    collection.items = undefined;
    for (const chunk of collection.vectors ?? []) yield frame('vectors', chunk);
  }
}

function* itemFrames(items: OpenItemRows): Generator<Buffer> {
  for (const names of nameBatches(items)) yield jsonFrame('itemNames', names);
  for (const chunk of items.chunks()) yield frame('itemRows', chunk);
}

function frame(kind: FrameKind, payload: Buffer): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32BE(payload.length);
  header.writeUInt8(frameKinds[kind], lengthBytes);
  return Buffer.concat([header, payload]);
}

function jsonFrame(kind: FrameKind, value: unknown): Buffer {
  return frame(kind, Buffer.from(JSON.stringify(value)));
}

function* inBatches<Entry>(entries: Iterable<Entry>): Generator<readonly Entry[]> {
  let batch: Entry[] = [];
  for (const entry of entries) {
    if (batch.push(entry) < entriesPerFrame) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function headOf(state: PartitionState): Head {
  const families = sortedByKey(state.families).map(([name, { definition, parameters, projectionSha256, generation, pending, declaredModels }]) => ({
    name,
    definition: storedDefinition(definition),
    parameters,
    projectionSha256,
    generation,
    ...(pending === undefined ? {} : { pending: { ...pending, sequence: String(pending.sequence) } }),
    declaredModels,
  }));
  const marks = sortedByKey(state.marks).map(([, { incarnation, partition, sequence, index }]) => ({
    incarnation,
    partition,
    sequence: String(sequence),
    index,
  }));
  const { epoch, engineVersion, claim, timeMs, pendingResets } = state;
  const stored = claim === undefined ? {} : { claim: { owner: claim.owner, term: String(claim.term) } };
  return { format, epoch, engineVersion, ...stored, timeMs, marks, families, pendingResets };
}

function storedDefinition(definition: Define): Stored<Define> {
  const { windowAgeMs, tombstoneRetentionMs } = definition;
  return {
    ...definition,
    windowAgeMs: windowAgeMs === null ? null : String(windowAgeMs),
    tombstoneRetentionMs: tombstoneRetentionMs === null ? null : String(tombstoneRetentionMs),
  };
}

function definitionFrom(stored: Stored<Define>): Define {
  const { windowAgeMs, tombstoneRetentionMs } = stored;
  return {
    ...stored,
    windowAgeMs: windowAgeMs === null ? null : BigInt(windowAgeMs),
    tombstoneRetentionMs: tombstoneRetentionMs === null ? null : BigInt(tombstoneRetentionMs),
  };
}

/**
 * Fills an empty state, once the chunks are read to their end: whether they are what was written may show only then. Until then, and where it rejects, the state is as
 * it was. Rejects with LS_CLUSTER_SNAPSHOT_INVALID, LS_CLUSTER_ENGINE_UNKNOWN, LS_CLUSTERING_SNAPSHOT_INVALID, and what the chunks end with.
 */
export async function restoreState(state: PartitionState, chunks: AsyncIterable<Buffer>): Promise<void> {
  const restored = emptyState(state.partition, state.openSearch, state.projections);
  const frames = framesOf(chunks);
  try {
    await restoreFrames(restored, frames);
    if ((await frames.next()).done !== true) throw invalid('it goes on behind its last frame');
  } catch (error) {
    await closeCollections(restored);
    // Frames of the right kinds with something else in them.
    const isNonsense = error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError;
    throw isNonsense ? invalid(error.message, { cause: error }) : error;
  } finally {
    // Who fails does not read on, and what is behind the chunks may have something to let go of.
    await frames.return(undefined);
  }
  adoptState(state, restored);
}

async function restoreFrames(state: PartitionState, frames: AsyncGenerator<Frame>): Promise<void> {
  let frameCount = 0;
  const take = async (): Promise<Frame> => {
    const next = await frames.next();
    if (next.done === true) throw invalid('it ends before its last frame');
    frameCount += 1;
    return next.value;
  };
  const head = headFrom(await take());
  restoreHead(state, head);
  for (let current = await take(); ; current = await take()) {
    if (current.kind === frameKinds.tombstones) restoreTombstones(state.tombstones, parse(current) as readonly StoredTombstone[]);
    else if (current.kind === frameKinds.collection) await restoreCollection(state, parse(current) as StoredCollection, { format: head.format, take });
    else if (current.kind === frameKinds.end) {
      if ((parse(current) as { readonly frameCount: number }).frameCount !== frameCount - 1) throw invalid('frames are missing');
      break;
    } else throw invalid(`it has a frame of kind ${current.kind} where none belongs`);
  }
  for (const family of state.families.values()) rebuildAgeOrders(family);
}

type Frame = { readonly kind: number; readonly payload: Buffer };

function frameAt(bytes: Buffer): Frame | undefined {
  if (bytes.length < headerBytes) return undefined;
  const end = headerBytes + bytes.readUInt32BE();
  return bytes.length < end ? undefined : { kind: bytes.readUInt8(lengthBytes), payload: bytes.subarray(headerBytes, end) };
}

async function* framesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Frame> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let next = frameAt(rest); next !== undefined; next = frameAt(rest)) {
      rest = rest.subarray(headerBytes + next.payload.length);
      yield next;
    }
    // The memory of a chunk may be used again for the next.
    if (rest.length > 0) rest = Buffer.from(rest);
  }
  if (rest.length > 0) throw invalid('it ends within a frame');
}

function invalid(reason: string, options?: ErrorOptions): LabelstreamError {
  return clusterError('LS_CLUSTER_SNAPSHOT_INVALID', `The snapshot cannot be read: ${reason}.`, {}, options);
}

/** Trusted as far as its kind goes: the state store has checked the bytes. */
function parse({ payload }: Frame): unknown {
  try {
    return JSON.parse(payload.toString()) as unknown;
  } catch (error) {
    throw invalid('a frame is no JSON', { cause: error });
  }
}

function headFrom(first: Frame): Head {
  if (first.kind !== frameKinds.head) throw invalid('it does not begin with its head');
  const head = parse(first) as Head;
  const readable = [...formerFormats, format];
  if (!readable.includes(head.format)) throw invalid(`its format is ${String(head.format)}, not ${readable.join(' or ')}`);
  return head;
}

function restoreHead(state: PartitionState, { epoch, engineVersion = 1, claim, timeMs, marks, families, pendingResets = [] }: Head): void {
  requireKnownEngine(engineVersion);
  state.epoch = epoch;
  state.engineVersion = engineVersion;
  state.claim = claim === undefined ? undefined : { owner: claim.owner, term: BigInt(claim.term) };
  state.pendingResets = pendingResets;
  state.timeMs = timeMs;
  for (const { incarnation, partition, sequence, index } of marks) {
    raiseMark(state.marks, { incarnation, partition, sequence: BigInt(sequence), index });
  }
  for (const { name, definition, parameters, projectionSha256 = null, generation, pending, declaredModels } of families) {
    const family: FamilyState = {
      name,
      definition: definitionFrom(definition),
      parameters,
      projectionSha256,
      generation,
      pending: pending === undefined ? undefined : { ...pending, sequence: BigInt(pending.sequence), builtSinceMs: pending.builtSinceMs },
      declaredModels: [...declaredModels],
      collections: new Map(),
      oldestMsMin: -Infinity,
    };
    state.families.set(name, family);
  }
}

type Source = { readonly format: number; readonly take: () => Promise<Frame> };

async function restoreCollection(state: PartitionState, stored: StoredCollection, { format: storedFormat, take }: Source): Promise<void> {
  const family = state.families.get(stored.family);
  if (family === undefined) throw invalid(`it has a collection of ${stored.family}, which it does not define`);
  if (family.collections.has(stored.name)) throw invalid(`it has the collection ${stored.name} twice`);
  const takeFrame: TakeFrame = async (kind) => {
    const next = await take();
    if (next.kind !== frameKinds[kind]) throw invalid(`the collection ${stored.name} has too few frames of ${kind}`);
    return next;
  };
  const clustering = await restoreClustering(async () => (await takeFrame('clustering')).payload, state.openSearch);
  try {
    const held = await restoreHeld(family, clustering, stored, storedFormat, takeFrame);
    family.collections.set(stored.name, { name: stored.name, clustering, ...held, clusterNames: new Map(stored.clusterNames), isFrozen: stored.isFrozen === true });
  } catch (error) {
    await clustering.close();
    throw error;
  }
}

type TakeFrame = (kind: FrameKind) => Promise<Frame>;

/** What a collection keeps beside its clustering. */
async function restoreHeld(
  family: FamilyState,
  clustering: Clustering,
  stored: StoredCollection,
  storedFormat: number,
  takeFrame: TakeFrame,
): Promise<Pick<CollectionState, 'items' | 'raw'>> {
  const takeItems = {
    names: async () => parse(await takeFrame('itemNames')) as ItemNames,
    rows: async () => (await takeFrame('itemRows')).payload,
    former: async () => parse(await takeFrame('items')) as readonly FormerItem[],
  };
  const items = await (formerFormats.includes(storedFormat)
    ? restoreFormerItems(clustering, stored.itemCount, takeItems)
    : restoreItems(clustering, stored, takeItems));
  if (items === undefined) throw invalid(`the items of ${stored.name} cannot be read`);
  if (clustering.size !== items.size) throw invalid(`the items of ${stored.name} are not those of its clustering`);
  const raw = family.projectionSha256 === null ? undefined : await restoreRawVectors(family.definition.dimensions, items.size, async () => (await takeFrame('vectors')).payload);
  if (raw === undefined && family.projectionSha256 !== null) throw invalid(`the vectors of ${stored.name} are not those of its items`);
  return { items, raw };
}
