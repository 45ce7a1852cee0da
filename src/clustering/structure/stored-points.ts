/**
 * Which of the points that the search has stored mean what, while prepared vectors wait for their record and records before it come and go.
 *
 * - A point that is gone is given to another vector. So of an answer those points are void that were released since it was asked for. What is
 *   stored in their place came later, and its own answer names whoever waits.
 * - Of two prepared vectors near each other, the one prepared later may become live first. The answer of the other does not name it, so it
 *   leaves word with the other.
 * - While a snapshot that holds them is being written, points are retired but not released.
 */
import { clusteringError } from '../../core/errors/clustering.ts';
import type { ClusteringParameters } from '../clustering.ts';
import { checkVector, vectorBytes } from '../distance.ts';
import type { NearestPoint, NeighbourSearch, OpenSearch, PreparedVector } from '../neighbour-search.ts';

export type StoredPoints = {
  /** Throws before the first vector. */
  readonly search: () => NeighbourSearch;
  /** Opens the search for vectors of a length, where there is none. One for another length is replaced if nothing in it lives or waits. */
  readonly open: (dimensions: number, parameters: ClusteringParameters, isEmpty: boolean) => void;
  readonly dimensions: () => number | undefined;
  /** Nobody waits for an answer, and nothing that was prepared waits to be used. */
  readonly isIdle: () => boolean;
  readonly prepare: (vectors: readonly Float32Array[]) => Promise<readonly PreparedVector[]>;
  /** Stored and searched under the parameters of now: what was prepared under others is stored anew. */
  readonly current: (vector: Float32Array, prepared: PreparedVector | undefined) => PreparedVector;
  /** The points near a prepared vector, as far as they are not void, and those that left word. */
  readonly near: (prepared: PreparedVector) => Int32Array;
  /** The same for the last time: it becomes live. */
  readonly settle: (prepared: PreparedVector) => Int32Array;
  /** A point that becomes live is near one that is not live. */
  readonly leaveWord: (waiting: number, point: number) => void;
  /** It becomes no point of its own. Without effect on what is settled or discarded already. */
  readonly discard: (prepared: PreparedVector) => void;
  /** The point is live no more: those with whom it has left word are not to hear of it. */
  readonly forgetWords: (point: number) => void;
  /** Nothing means the point any more. */
  readonly retire: (point: number) => void;
  /** No point is released until the function returned is called. */
  readonly hold: () => () => void;
  readonly use: (parameters: ClusteringParameters) => void;
  readonly find: (vector: Float32Array) => Promise<readonly number[]>;
  /** The same at once, on this thread. */
  readonly findNow: (vector: Float32Array) => Iterable<number>;
  /** Points that are not live may be among them; asks for some more, therefore. */
  readonly nearest: (vector: Float32Array, count: number) => Promise<NearestPoints>;
  readonly close: () => Promise<void>;
};

/** isAll: there was nothing else stored. Points that are void by now are not given, and say nothing about that. */
export type NearestPoints = { readonly found: readonly NearestPoint[]; readonly isAll: boolean };

/** version: of the parameters it was asked for under. */
type Pending = { readonly ticket: number; readonly version: number; words: number[] };

/** Searched on the spot: nothing has been released since. */
const latest = Number.MAX_SAFE_INTEGER;

type Stored = {
  readonly openSearch: OpenSearch;
  readonly beforeReplaced: () => void;
  search: NeighbourSearch | undefined;
  /** How often the parameters have changed. */
  version: number;
  lastTicket: number;
  /** Ticket -> how many answers under it are still to be used, in the order of the tickets. */
  readonly outstanding: Map<number, number>;
  readonly pending: Map<number, Pending>;
  /** How many calls of `prepare` have not answered: the points they have stored are not known yet. */
  preparing: number;
  /** Left with points that may be theirs. */
  readonly words: Map<number, number[]>;
  /** Who has left word -> the last ticket of which an answer may have been waiting then; in the order of the tickets. */
  readonly leftWord: Map<number, number>;
  /** Point -> the last ticket whose answer may still name what it was before; in the order of the tickets. */
  readonly released: Map<number, number>;
  readonly retired: number[];
  /** Searches for vectors of another length, of which a snapshot may still read. */
  readonly replaced: NeighbourSearch[];
  holdCount: number;
};

/** @param beforeReplaced is called before a search is replaced by one that gives its points the same numbers. */
export function createStoredPoints(openSearch: OpenSearch, beforeReplaced: () => void): StoredPoints {
  const stored: Stored = {
    openSearch, beforeReplaced, search: undefined, version: 0, lastTicket: 0, outstanding: new Map(), pending: new Map(), preparing: 0, words: new Map(), leftWord: new Map(),
    released: new Map(), retired: [], replaced: [], holdCount: 0,
  };
  return {
    search: () => opened(stored),
    open: (dimensions, parameters, isEmpty) => open(stored, dimensions, parameters, isEmpty),
    dimensions: () => stored.search?.dimensions,
    isIdle: () => stored.outstanding.size === 0,
    prepare: (vectors) => prepare(stored, vectors),
    current: (vector, prepared) => {
      if (prepared !== undefined && stored.pending.get(prepared.point)?.version === stored.version && isOf(stored, prepared, vector)) return prepared;
      const again = opened(stored).prepareNow(vector);
      stored.pending.set(again.point, { ticket: latest, version: stored.version, words: [] });
      if (prepared !== undefined) discard(stored, prepared);
      return again;
    },
    near: (prepared) => nearTo(stored, prepared),
    settle: (prepared) => settle(stored, prepared),
    leaveWord: (waiting, point) => {
      stored.leftWord.delete(point);
      stored.leftWord.set(point, stored.lastTicket);
      const words = stored.pending.get(waiting)?.words ?? stored.words.get(waiting);
      if (words !== undefined) words.push(point);
      else if (stored.preparing > 0) stored.words.set(waiting, [point]);
    },
    discard: (prepared) => discard(stored, prepared),
    forgetWords: (point) => forgetWords(stored, point),
    retire: (point) => retire(stored, point),
    hold: () => hold(stored),
    use: (parameters) => {
      stored.search?.use(parameters);
      stored.version++;
      for (const waiting of stored.pending.values()) waiting.words = [];
      stored.words.clear();
      stored.leftWord.clear();
    },
    findNow: (vector) => {
      const { point, near } = opened(stored).prepareNow(vector);
      retire(stored, point);
      return near;
    },
    find: async (vector) => asked(stored, async (isVoid) => [...(await opened(stored).find(vector))].filter((point) => !isVoid(point))),
    nearest: async (vector, count) =>
      asked(stored, async (isVoid) => {
        const wanted = count + stored.pending.size + stored.retired.length;
        const found = await opened(stored).nearest(vector, wanted);
        return { found: found.filter(({ point }) => !isVoid(point)), isAll: found.length < wanted };
      }),
    close: async () => {
      closeReplaced({ ...stored, holdCount: 0 });
      await stored.search?.close();
    },
  };
}

/** What was found for another vector would be that vector, stored under this one's name. */
function isOf(stored: Stored, { point }: PreparedVector, vector: Float32Array): boolean {
  return vectorBytes(opened(stored).vector(point)).equals(vectorBytes(vector));
}

function opened({ search }: Stored): NeighbourSearch {
  if (search === undefined) throw new Error('no vector has come yet');
  return search;
}

function open(stored: Stored, dimensions: number, parameters: ClusteringParameters, isEmpty: boolean): void {
  const { search } = stored;
  if (search !== undefined && search.dimensions !== dimensions && isEmpty && stored.outstanding.size === 0) {
    stored.beforeReplaced();
    stored.retired.length = 0;
    stored.released.clear();
    stored.replaced.push(search);
    stored.search = undefined;
    closeReplaced(stored);
  }
  stored.search ??= stored.openSearch(dimensions, parameters);
}

function closeReplaced({ replaced, holdCount }: Stored): void {
  if (holdCount === 0) for (const search of replaced.splice(0)) void search.close();
}

async function prepare(stored: Stored, vectors: readonly Float32Array[]): Promise<readonly PreparedVector[]> {
  const search = opened(stored);
  for (const [index, vector] of vectors.entries()) {
    const fault = checkVector(vector, search.dimensions, search.parameters.metric);
    if (fault !== undefined) throw clusteringError('LS_CLUSTERING_VECTOR_INVALID', `the vector at ${index} of those to be prepared ${fault}`, { index });
  }
  const ticket = take(stored, vectors.length);
  const { version } = stored;
  stored.preparing++;
  try {
    const prepared = await search.prepare(vectors);
    for (const { point } of prepared) stored.pending.set(point, { ticket, version, words: stored.words.get(point) ?? [] });
    return prepared;
  } catch (error) {
    giveBack(stored, ticket, vectors.length);
    throw error;
  } finally {
    stored.preparing--;
    if (stored.preparing === 0) stored.words.clear();
  }
}

/** Asks something whose answer is looked at as soon as it is there. */
async function asked<Answer>(stored: Stored, ask: (isVoid: (point: number) => boolean) => Promise<Answer>): Promise<Answer> {
  const ticket = take(stored, 1);
  try {
    return await ask((point) => isVoid(stored, point, ticket));
  } finally {
    giveBack(stored, ticket, 1);
  }
}

function take(stored: Stored, count: number): number {
  stored.lastTicket++;
  if (count > 0) stored.outstanding.set(stored.lastTicket, count);
  return stored.lastTicket;
}

function giveBack({ outstanding, released, leftWord }: Stored, ticket: number, count: number): void {
  const left = (outstanding.get(ticket) ?? 0) - count;
  if (left > 0) {
    outstanding.set(ticket, left);
    return;
  }
  outstanding.delete(ticket);
  const [oldest = latest] = outstanding.keys();
  for (const points of [released, leftWord]) {
    for (const [point, last] of points) {
      if (last >= oldest) break;
      points.delete(point);
    }
  }
}

function isVoid({ released }: Stored, point: number, ticket: number): boolean {
  return (released.get(point) ?? -1) >= ticket;
}

function nearTo(stored: Stored, { point, near }: PreparedVector): Int32Array {
  const waiting = stored.pending.get(point);
  if (waiting === undefined) throw new Error(`point ${point} was prepared by nobody, or is used already`);
  const named = stored.released.size === 0 ? near : near.filter((other) => !isVoid(stored, other, waiting.ticket));
  return waiting.words.length === 0 ? named : Int32Array.from(new Set([...named, ...waiting.words]));
}

function settle(stored: Stored, prepared: PreparedVector): Int32Array {
  const near = nearTo(stored, prepared);
  const ticket = stored.pending.get(prepared.point)?.ticket ?? latest;
  stored.pending.delete(prepared.point);
  giveBack(stored, ticket, 1);
  return near;
}

function discard(stored: Stored, { point }: PreparedVector): void {
  const waiting = stored.pending.get(point);
  if (waiting === undefined) return;
  stored.pending.delete(point);
  retire(stored, point);
  giveBack(stored, waiting.ticket, 1);
}

function forgetWords(stored: Stored, point: number): void {
  if (!stored.leftWord.delete(point)) return;
  for (const waiting of stored.pending.values()) if (waiting.words.includes(point)) waiting.words = waiting.words.filter((other) => other !== point);
  for (const [waiting, words] of stored.words) if (words.includes(point)) stored.words.set(waiting, words.filter((other) => other !== point));
}

function retire(stored: Stored, point: number): void {
  if (stored.holdCount > 0) stored.retired.push(point);
  else release(stored, point);
}

function release(stored: Stored, point: number): void {
  opened(stored).release(point);
  // Left with who was there: it is nobody's who is given the place.
  stored.words.delete(point);
  stored.released.delete(point);
  if (stored.outstanding.size > 0) stored.released.set(point, stored.lastTicket);
}

function hold(stored: Stored): () => void {
  stored.holdCount++;
  let isHeld = true;
  return () => {
    if (!isHeld) return;
    isHeld = false;
    stored.holdCount--;
    if (stored.holdCount > 0) return;
    for (const point of stored.retired.splice(0)) release(stored, point);
    closeReplaced(stored);
  };
}
