/**
 * The next generation of a family, built beside the one in force (SEMANTICS.md, rule 16): for each of its collections a second clustering, of the
 * same items under other parameters or with other vectors, batch by batch, searched off the main loop, while records are folded into the first.
 *
 *   items of the collection ──not yet visited──┐
 *   items that records change meanwhile ───────┴─> vector as it is now ─> image ─> prepare ─> insert into the second clustering
 *
 * It is work ahead and nothing else: nothing that comes of a record depends on how far it is. Before the record that swaps it in is folded, it is
 * brought to its end (`complete`), by whoever folds that record and whether it was begun before or not. What it holds then is a function of the
 * live items alone.
 */
import type { Clustering } from '../../clustering/clustering.ts';
import { createClustering, whenSettled } from '../../clustering/incremental-dbscan.ts';
import type { FittedProjection } from '../../clustering/projection/projection.ts';
import { clusterError } from '../../core/errors/cluster.ts';
import { collectionIdentity } from '../../core/ids.ts';
import { unlessAborted } from '../../pipeline/abort.ts';
import { turnOfTheLoop } from './between-records.ts';
import { imageOf, rawVectorOf } from './projected-vectors.ts';
import { createRawVectors, type RawVectors } from './raw-vectors.ts';
import { compareText, type CollectionState, type FamilyState, type GenerationBuild, type PartitionState, type PendingGeneration } from './state.ts';

/** Searched at once: the records that are folded meanwhile wait for one such batch at most. */
const batchItems = 64;
/** Inserted before the main loop goes on with others. */
const turnItems = 8;
/** Changes that the fold of the swap may have to wait for. */
const changesAtSwapMax = batchItems;

type Successor = {
  readonly collection: CollectionState;
  readonly clustering: Clustering;
  readonly raw: RawVectors | undefined;
  readonly unvisited: Iterator<string>;
  isVisited: boolean;
  /** Items that records have changed since they were looked at. */
  readonly changed: Set<string>;
  /** Items that the generation cannot hold. */
  readonly withoutImage: Set<string>;
  sequence: bigint;
  isClosed: boolean;
};

type Build = {
  readonly state: PartitionState;
  readonly family: FamilyState;
  readonly pending: PendingGeneration;
  readonly collectionBytesMax: number;
  readonly successors: Map<CollectionState, Successor>;
  projection: FittedProjection | undefined;
  isClosed: boolean;
  /** The record that swaps it in waits: who folds it hears of a failure. */
  isAwaited: boolean;
  failure: { readonly error: unknown } | undefined;
  working: Promise<void> | undefined;
};

export type BuildOptions = {
  /** Of one collection, as it is built: at that the build fails, unless the record that swaps it in is being folded. */
  readonly collectionBytesMax: number;
  /** Called whenever it has come as far as it can for now, or has failed. */
  readonly told: (failure?: { readonly error: unknown }) => void;
};

/** It begins by itself. */
export function buildGeneration(state: PartitionState, family: FamilyState, pending: PendingGeneration, { collectionBytesMax, told }: BuildOptions): GenerationBuild {
  const build: Build = { state, family, pending, collectionBytesMax, successors: new Map(), projection: undefined, isClosed: false, isAwaited: false, failure: undefined, working: undefined };
  const closing = new AbortController();
  const work = (): Promise<void> => {
    build.working ??= workOff(build)
      .catch((error: unknown) => {
        build.failure = { error };
        // A batch may be half in: another attempt begins anew, and until then nothing is held.
        closeAll(build);
      })
      .finally(() => {
        build.working = undefined;
        if (!build.isClosed && !(build.isAwaited && build.failure !== undefined)) told(build.failure);
      });
    return build.working;
  };
  const begin = (): void => {
    if (build.failure === undefined && !build.isClosed) void work();
  };
  begin();
  return {
    generation: pending.generation,
    isReady: () => build.failure === undefined && isReady(build),
    hasFailed: () => build.failure !== undefined,
    closed: closing.signal,
    tryAgain: () => {
      build.failure = undefined;
      begin();
    },
    heldUpBy: () => heldUpBy(build),
    complete: (stopping) => complete(build, work, stopping),
    changed: (collection, itemIds) => {
      const successor = successorOf(build, collection);
      for (const itemId of itemIds) successor.changed.add(itemId);
      begin();
    },
    forget: (collection) => {
      const successor = build.successors.get(collection);
      build.successors.delete(collection);
      if (successor !== undefined) close(successor);
    },
    take: (collection) => {
      const successor = build.successors.get(collection);
      if (successor === undefined) return undefined;
      build.successors.delete(collection);
      return successor;
    },
    close: () => {
      build.isClosed = true;
      closing.abort();
      closeAll(build);
    },
  };
}

function isReady({ family, successors }: Pick<Build, 'family' | 'successors'>): boolean {
  let changes = 0;
  for (const collection of family.collections.values()) {
    const successor = successors.get(collection);
    if (successor?.isVisited !== true) return false;
    changes += successor.changed.size;
  }
  return changes <= changesAtSwapMax && heldUpBy({ successors }) === undefined;
}

async function complete(build: Build, work: () => Promise<void>, stopping: AbortSignal | undefined): Promise<'complete' | 'stopped'> {
  build.failure = undefined;
  build.isAwaited = true;
  const hasEnded = async (): Promise<boolean> => {
    const ended = work().then(() => true);
    return (await (stopping === undefined ? ended : unlessAborted(ended, stopping))) ?? false;
  };
  if (!(await hasEnded())) return 'stopped';
  // What failed then without being seen may have been passed since.
  if ((failureOf(build) !== undefined || hasWork(build)) && !(await hasEnded())) return 'stopped';
  const failure = failureOf(build);
  if (failure !== undefined) throw failure.error;
  if (build.isClosed) return 'stopped';
  return 'complete';
}

/** A mistaken projection must not empty a family: at least one item is to be carried. */
function heldUpBy({ successors }: Pick<Build, 'successors'>): string | undefined {
  let found: string | undefined;
  for (const { clustering, withoutImage } of successors.values()) {
    if (clustering.size > 0) return undefined;
    for (const itemId of withoutImage) if (found === undefined || compareText(itemId, found) < 0) found = itemId;
  }
  return found;
}

/** It changes while others are waited for. */
function failureOf({ failure }: Build): Build['failure'] {
  return failure;
}

function hasWork({ family, successors }: Build): boolean {
  return family.collections.values().some((collection) => {
    const successor = successors.get(collection);
    return successor === undefined || !successor.isVisited || successor.changed.size > 0;
  });
}

async function workOff(build: Build): Promise<void> {
  const { state, family, pending, successors } = build;
  // Begun within the fold of a record, whose turn is not its own.
  await turnOfTheLoop();
  if (pending.projectionSha256 !== null) build.projection ??= await state.projections.load(pending.projectionSha256);
  while (!build.isClosed) {
    for (const collection of family.collections.values()) successorOf(build, collection);
    const next = successors.values().find(({ isVisited, changed }) => !isVisited || changed.size > 0);
    if (next === undefined) return;
    await takeBatch(build, next);
    if (!build.isAwaited) checkBudget(build, next);
    await turnOfTheLoop();
  }
}

function successorOf({ state, family, pending, successors }: Build, collection: CollectionState): Successor {
  const known = successors.get(collection);
  if (known !== undefined) return known;
  const identity = { collection: collectionIdentity(family.name, collection.name), epoch: state.epoch, generation: pending.generation };
  const successor: Successor = {
    collection,
    clustering: createClustering(pending.parameters, identity, state.openSearch),
    raw: pending.projectionSha256 === null ? undefined : createRawVectors(family.definition.dimensions),
    unvisited: collection.items.keys(),
    isVisited: false,
    changed: new Set(),
    withoutImage: new Set(),
    sequence: 0n,
    isClosed: false,
  };
  successors.set(collection, successor);
  return successor;
}

/** Its owner must not run out of memory over parameters that make all items neighbours, before the swap, and the freeze after it, are in the log. */
function checkBudget({ family, pending, collectionBytesMax }: Build, { collection, clustering, raw }: Successor): void {
  const { search, structure, adjacency } = clustering.memoryBytes();
  const bytes = search + structure + adjacency + (raw?.memoryBytes() ?? 0);
  if (bytes <= collectionBytesMax) return;
  const message = `With eps ${pending.parameters.eps}, ${clustering.size} of ${collection.items.size} items of ${collection.name} take ${bytes} bytes; ${collectionBytesMax} are allowed.`;
  throw clusterError('LS_CLUSTER_GENERATION_OVER_BUDGET', message, { family: family.name, collection: collection.name, generation: pending.generation });
}

type Wanted = { readonly itemId: string; readonly vector: Float32Array; readonly image: Float32Array };

async function takeBatch(build: Build, successor: Successor): Promise<void> {
  await whenSettled(successor.collection.clustering);
  if (isClosed(build, successor)) return;
  const wanted = itemsOfBatch(successor).flatMap((itemId) => lookAt(build, successor, itemId) ?? []);
  if (wanted.length === 0) return;
  const { clustering, changed } = successor;
  const prepared = await clustering.prepare(wanted.map(({ image }) => image));
  for (const [index, { itemId, vector, image }] of wanted.entries()) {
    const near = prepared[index];
    if (near === undefined) throw new RangeError(`${wanted.length} vectors were prepared as ${prepared.length}`);
    // What has changed meanwhile comes again.
    if (successor.isClosed || changed.has(itemId)) {
      clustering.discard(near);
      continue;
    }
    successor.sequence += 1n;
    clustering.apply([{ kind: 'insert', itemId, vector: image, prepared: near }], successor.sequence);
    successor.raw?.set(clustering.itemIndex(itemId), vector);
    if (index % turnItems === turnItems - 1) await turnOfTheLoop();
  }
}

/** Either may be closed while others are waited for. */
function isClosed(build: Build, successor: Successor): boolean {
  return build.isClosed || successor.isClosed;
}

/** Those that records have changed come first: they are few, and must not become many. */
function itemsOfBatch(successor: Successor): readonly string[] {
  const { changed, unvisited, clustering } = successor;
  const itemIds = new Set<string>();
  for (const itemId of changed) {
    if (itemIds.size === batchItems) break;
    itemIds.add(itemId);
    changed.delete(itemId);
  }
  while (!successor.isVisited && itemIds.size < batchItems) {
    const next = unvisited.next();
    if (next.done === true) successor.isVisited = true;
    else if (!clustering.has(next.value)) itemIds.add(next.value);
  }
  return [...itemIds];
}

/** What is to be inserted of the item as it is now; undefined where it is gone, or cannot be in the generation. */
function lookAt({ family, pending, projection }: Build, successor: Successor, itemId: string): Wanted | undefined {
  const vector = rawVectorOf(successor.collection, itemId);
  const image = vector === undefined ? undefined : imageOf(projection, pending.parameters.metric, vector, family.definition.dimensions);
  if (image !== undefined && image.vector === undefined) successor.withoutImage.add(itemId);
  else successor.withoutImage.delete(itemId);
  if (vector !== undefined && image?.vector !== undefined) return { itemId, vector, image: image.vector };
  const { clustering, raw } = successor;
  const index = clustering.itemIndex(itemId);
  if (index === -1) return undefined;
  raw?.delete(index);
  successor.sequence += 1n;
  clustering.apply([{ kind: 'remove', itemId, told: false }], successor.sequence);
  return undefined;
}

function closeAll({ successors }: Build): void {
  for (const successor of successors.values()) close(successor);
  successors.clear();
}

function close(successor: Successor): void {
  successor.isClosed = true;
  // It waits for the search that is under way; nobody waits for it.
  void successor.clustering.close();
}
