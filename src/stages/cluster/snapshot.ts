/**
 * The state of a partition as bytes, canonical: everything in the byte order of its keys, so equal states give equal bytes. Frames of
 * `length (uint32, big-endian) | kind (1 byte) | payload`, one per chunk; reading does not depend on where chunks are cut.
 *
 *   head            JSON: epoch, time, marks, families with their definitions, from format 2 on resets to be told
 *   tombstones ...  JSON
 *   per collection: collection (JSON), clustering ... (as the engine gives them), items ... (JSON)
 *   end             JSON: how many frames came before it
 *
 * It is made lazily, so that a writer can yield between chunks.
 */
import { restoreClustering } from '../../clustering/incremental-dbscan.ts';
import type { ClusteringParameters } from '../../clustering/clustering.ts';
import type { Define, Origin, ReadCoordinate } from '../../core/events.generated.ts';
import { clusterError } from '../../core/errors/cluster.ts';
import type { LabelstreamError } from '../../core/errors/error.ts';
import { raiseMark } from './marks.ts';
import { sortedByKey, type CollectionName, type CollectionState, type DeclaredModel, type FamilyState, type Item, type PartitionState } from './state.ts';
import { bury } from './tombstones.ts';
import { rebuildAgeOrders } from './window.ts';

/** The lowest that holds what there is to say: a version that knows nothing of resets reads every snapshot without them. */
const formats = { withoutResets: 1, withResets: 2 } as const;
const entriesPerFrame = 512;
const frameKinds = { head: 1, tombstones: 2, collection: 3, clustering: 4, items: 5, end: 6 } as const;
type FrameKind = keyof typeof frameKinds;
const lengthBytes = 4;
const headerBytes = lengthBytes + 1;

type Stored<Value> = {
  readonly [Key in keyof Value]: Value[Key] extends bigint ? string : Value[Key] extends bigint | null ? string | null : Value[Key];
};
type StoredItem = Omit<Item, 'origin'> & { readonly origin: Stored<Origin> };
type StoredFamily = {
  readonly name: string;
  readonly definition: Stored<Define>;
  readonly parameters: ClusteringParameters;
  readonly generation: string;
  readonly declaredModels: readonly DeclaredModel[];
};
type Head = {
  readonly format: number;
  readonly epoch: number;
  readonly timeMs: number;
  readonly marks: readonly Stored<ReadCoordinate>[];
  readonly families: readonly StoredFamily[];
  readonly pendingResets?: readonly CollectionName[];
};
type StoredTombstone = {
  readonly scope: string | null;
  readonly itemHash: string;
  readonly setAtMs: number;
  readonly through: readonly { readonly incarnation: string; readonly partition: number; readonly sequence: string }[];
};
type StoredCollection = {
  readonly family: string;
  readonly name: string;
  readonly clusterNames: readonly (readonly [string, string])[];
  readonly itemCount: number;
};

export function* snapshotState(state: PartitionState): Generator<Buffer> {
  let frameCount = 0;
  for (const chunk of bodyOf(state)) {
    frameCount += 1;
    yield chunk;
  }
  yield jsonFrame('end', { frameCount });
}

function* bodyOf(state: PartitionState): Generator<Buffer> {
  yield jsonFrame('head', headOf(state));
  for (const batch of inBatches(storedTombstones(state))) yield jsonFrame('tombstones', batch);
  for (const [, family] of sortedByKey(state.families)) {
    for (const [name, collection] of sortedByKey(family.collections)) {
      const clusterNames = sortedByKey(collection.clusterNames);
      const stored: StoredCollection = { family: family.name, name, clusterNames, itemCount: collection.items.size };
      yield jsonFrame('collection', stored);
      for (const chunk of collection.clustering.snapshot()) yield frame('clustering', chunk);
      const items = sortedByKey(collection.items).map(([, item]) => item);
      for (const batch of inBatches(items)) yield jsonFrame('items', batch.map(storedItem));
    }
  }
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

function* inBatches<Entry>(entries: readonly Entry[]): Generator<readonly Entry[]> {
  for (let start = 0; start < entries.length; start += entriesPerFrame) yield entries.slice(start, start + entriesPerFrame);
}

function headOf(state: PartitionState): Head {
  const families = sortedByKey(state.families).map(([name, { definition, parameters, generation, declaredModels }]) => ({
    name,
    definition: storedDefinition(definition),
    parameters,
    generation,
    declaredModels,
  }));
  const marks = sortedByKey(state.marks).map(([, { incarnation, partition, sequence, index }]) => ({
    incarnation,
    partition,
    sequence: String(sequence),
    index,
  }));
  const head = { epoch: state.epoch, timeMs: state.timeMs, marks, families };
  const { pendingResets } = state;
  return pendingResets.length === 0 ? { format: formats.withoutResets, ...head } : { format: formats.withResets, ...head, pendingResets };
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

/** By scope, then age (the order in which they leave), then hash. */
function storedTombstones({ tombstones }: PartitionState): readonly StoredTombstone[] {
  const scopes = [...tombstones].sort(([left], [right]) => Buffer.compare(Buffer.from(left ?? ''), Buffer.from(right ?? '')));
  return scopes.flatMap(([scope, byHash]) =>
    sortedByKey(byHash)
      .sort(([, left], [, right]) => left.setAtMs - right.setAtMs)
      .map(([itemHash, { setAtMs, through }]) => ({
        scope,
        itemHash,
        setAtMs,
        through: sortedByKey(through).map(([, { incarnation, partition, sequence }]) => ({
          incarnation,
          partition,
          sequence: String(sequence),
        })),
      })),
  );
}

function storedItem(item: Item): StoredItem {
  const { topic, incarnation, partition, sequence, appendTime } = item.origin;
  const { itemId, inputId, routeStep, model, modelVersion, occurredAt, preview, toldClusterId } = item;
  const origin = { topic, incarnation, partition, sequence: String(sequence), appendTime };
  return { itemId, inputId, origin, routeStep, model, modelVersion, occurredAt, preview, toldClusterId };
}

/** Fills an empty state. Rejects with LS_CLUSTER_SNAPSHOT_INVALID, LS_CLUSTERING_SNAPSHOT_INVALID. */
export async function restoreState(state: PartitionState, chunks: AsyncIterable<Buffer>): Promise<void> {
  const frames = framesOf(chunks);
  try {
    await restoreFrames(state, frames);
  } finally {
    // The last frame says that it is the last: nobody reads on, so the file behind the chunks has to be let go of here.
    await frames.return(undefined);
  }
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
    if (current.kind === frameKinds.tombstones) restoreTombstones(state, parse(current) as readonly StoredTombstone[]);
    else if (current.kind === frameKinds.collection) await restoreCollection(state, parse(current) as StoredCollection, take);
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
  let rest = Buffer.alloc(0);
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    for (let next = frameAt(rest); next !== undefined; next = frameAt(rest)) {
      rest = rest.subarray(headerBytes + next.payload.length);
      yield next;
    }
  }
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
  const readable: readonly unknown[] = Object.values(formats);
  if (!readable.includes(head.format)) throw invalid(`its format is ${String(head.format)}, not ${readable.join(' or ')}`);
  return head;
}

function restoreHead(state: PartitionState, { epoch, timeMs, marks, families, pendingResets = [] }: Head): void {
  state.epoch = epoch;
  state.pendingResets = pendingResets;
  state.timeMs = timeMs;
  for (const { incarnation, partition, sequence, index } of marks) {
    raiseMark(state.marks, { incarnation, partition, sequence: BigInt(sequence), index });
  }
  for (const { name, definition, parameters, generation, declaredModels } of families) {
    const family: FamilyState = {
      name,
      definition: definitionFrom(definition),
      parameters,
      generation,
      declaredModels: [...declaredModels],
      collections: new Map(),
      places: new Map(),
      byAge: undefined,
    };
    state.families.set(name, family);
  }
}

function restoreTombstones({ tombstones }: PartitionState, stored: readonly StoredTombstone[]): void {
  for (const { scope, itemHash, setAtMs, through } of stored) {
    const positions = through.map(({ incarnation, partition, sequence }) => ({ incarnation, partition, sequence: BigInt(sequence) }));
    bury(tombstones, scope, itemHash, positions, setAtMs);
  }
}

async function restoreCollection(state: PartitionState, stored: StoredCollection, take: () => Promise<Frame>): Promise<void> {
  const family = state.families.get(stored.family);
  if (family === undefined) throw invalid(`it has a collection of ${stored.family}, which it does not define`);
  const takePayload = async (kind: FrameKind): Promise<Frame> => {
    const next = await take();
    if (next.kind !== frameKinds[kind]) throw invalid(`the collection ${stored.name} has too few frames of ${kind}`);
    return next;
  };
  const clustering = await restoreClustering(async () => (await takePayload('clustering')).payload);
  const collection: CollectionState = {
    name: stored.name,
    clustering,
    items: new Map(),
    clusterNames: new Map(stored.clusterNames),
    byAge: undefined,
  };
  family.collections.set(stored.name, collection);
  while (collection.items.size < stored.itemCount) {
    const before = collection.items.size;
    for (const item of parse(await takePayload('items')) as readonly StoredItem[]) {
      const origin = { ...item.origin, sequence: BigInt(item.origin.sequence) };
      collection.items.set(item.itemId, { ...item, origin });
      family.places.set(item.itemId, stored.name);
    }
    if (collection.items.size === before) throw invalid(`the collection ${stored.name} has too few items`);
  }
  if (clustering.size !== collection.items.size) throw invalid(`the items of ${stored.name} are not those of its clustering`);
}
