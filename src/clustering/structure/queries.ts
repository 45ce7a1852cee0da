/** Questions about single items and vectors, which change nothing. */
import { clusteringError } from '../../core/errors/clustering.ts';
import type { Explanation, ItemDistance, Placement } from '../clustering.ts';
import { checkVector, distanceFor, normOf, vectorBytes } from '../distance.ts';
import { someNeighbours } from './adjacency.ts';
import { dimensionsIn, itemsOn, pointOf, settling, type EngineState } from './engine-state.ts';
import { findItem, itemIdOf, toldSequence } from './item-table.ts';
import { clusterIdOf, roleOf } from './naming.ts';
import { isLive, pointFields } from './points.ts';
import { readField } from './records.ts';

const { weight, density, component } = pointFields;

type PointDistance = { readonly point: number; readonly distance: number };

/** For people: the euclidean distance is compared as its square. */
function shown({ parameters }: EngineState, distance: number): number {
  return parameters.metric === 'euclidean' ? Math.sqrt(distance) : distance;
}

/** So many neighbours, and items of one place, are looked at for an answer at once: some milliseconds. */
const lookedAtMax = 8192;

function idsOn(state: EngineState, point: number): string[] {
  const ids = Array.from(itemsOn(state, point).take(lookedAtMax), (item) => itemIdOf(state.items, item));
  return ids.length === 1 ? ids : ids.map((id) => Buffer.from(id)).sort((left, right) => Buffer.compare(left, right)).map(String);
}

/** Items of points that are ordered by distance, so many of them. */
function itemsOf(state: EngineState, points: readonly PointDistance[], countMax: number, except?: string): ItemDistance[] {
  const items: ItemDistance[] = [];
  for (const { point, distance } of points) {
    if (items.length >= countMax) break;
    for (const itemId of idsOn(state, point)) if (itemId !== except) items.push({ itemId, distance: shown(state, distance) });
  }
  return items.slice(0, countMax);
}

function checked(state: EngineState, vector: Float32Array): void {
  const fault = checkVector(vector, dimensionsIn(state) ?? vector.length, state.parameters.metric);
  if (fault !== undefined) throw clusteringError('LS_CLUSTERING_VECTOR_INVALID', `the vector asked about ${fault}`);
}

/** Of one state: what was found is of none where a record was applied meanwhile, and then it is searched for at once. */
export async function placementOf(state: EngineState, vector: Float32Array): Promise<Placement> {
  await settling(state);
  checked(state, vector);
  if (state.items.size === 0) return placementAlone(state);
  const { sequence } = state;
  const found = await state.stored.find(vector);
  await settling(state);
  if (state.sequence === sequence) return placementAmong(state, vector, found);
  if (state.items.size === 0) return placementAlone(state);
  checked(state, vector);
  return placementAmong(state, vector, state.stored.findNow(vector));
}

function placementAlone({ parameters }: EngineState): Placement {
  return { role: parameters.minPoints === 1 ? 'core' : 'noise', clusterId: null, nearestCore: null };
}

function placementAmong(state: EngineState, vector: Float32Array, found: Iterable<number>): Placement {
  const { points, search } = state.structure;
  const near = [...found].filter((point) => isLive(points, point));
  const items = near.reduce((sum, point) => sum + readField(points.records, point, weight), 1);
  const asked = { vector, norm: normOf(vector) };
  const distance = distanceFor(state.parameters.metric);
  const cores = near
    .filter((point) => readField(points.records, point, component) !== -1)
    .map((point) => ({ point, distance: distance(asked, { vector: search.vector(point), norm: search.norm(point) }) }));
  const [core] = sorted(state, cores);
  const role = items >= state.parameters.minPoints ? 'core' : core === undefined ? 'noise' : 'border';
  if (core === undefined) return { role, clusterId: null, nearestCore: null };
  const [nearestCore = null] = itemsOf(state, [core], 1);
  return { role, clusterId: clusterIdOf(state, core.point), nearestCore };
}

/** By distance, then vector bytes, as anchors are chosen. */
function sorted({ structure: { search } }: EngineState, points: PointDistance[]): PointDistance[] {
  const bytes = (point: number): Buffer => vectorBytes(search.vector(point));
  return points.sort((left, right) => left.distance - right.distance || Buffer.compare(bytes(left.point), bytes(right.point)));
}

/** Asked again where a record was applied meanwhile: but no more often, since records may never let up. */
const nearestAskedMax = 8;

export async function nearestItems(state: EngineState, to: string | Float32Array, count: number): Promise<readonly ItemDistance[]> {
  for (let asked = 1; ; asked += 1) {
    await settling(state);
    const { sequence } = state;
    const item = typeof to === 'string' ? findItem(state.items, to) : -1;
    if (typeof to === 'string' && item === -1) return [];
    const vector = typeof to === 'string' ? state.structure.search.vector(pointOf(state.items, item)).slice() : to;
    checked(state, vector);
    // What is no count asks for none.
    if (state.items.size === 0 || !(count > 0)) return [];
    const live = await nearestLive(state, vector, count + 1);
    await settling(state);
    // One more than asked for, since the item itself is its nearest.
    if (state.sequence === sequence || asked === nearestAskedMax) return itemsOf(state, live, count, typeof to === 'string' ? to : undefined);
  }
}

/** Among what the search has stored there may be some that do not live: not yet, or not any more (gone-points.ts). */
async function nearestLive({ stored, structure: { points } }: EngineState, vector: Float32Array, count: number): Promise<PointDistance[]> {
  for (let asked = count; ; asked *= 4) {
    const { found, isAll } = await stored.nearest(vector, asked);
    const live = found.filter(({ point }) => isLive(points, point));
    if (live.length >= count || isAll) return live;
  }
}

export function explain(state: EngineState, itemId: string, neighboursMax: number, neighboursLookedAtMax = lookedAtMax): Explanation | undefined {
  const item = findItem(state.items, itemId);
  if (item === -1) return undefined;
  const point = pointOf(state.items, item);
  const { points: { records }, adjacency, search } = state.structure;
  const near = someNeighbours(adjacency, point, neighboursLookedAtMax).map((other) => ({ point: other, distance: search.distance(point, other) }));
  near.push({ point, distance: 0 });
  sorted(state, near);
  const cores = near.filter((other) => readField(records, other.point, component) !== -1);
  const [nearestCore = null] = itemsOf(state, cores, 1, itemId);
  return {
    role: roleOf(state, point),
    clusterId: clusterIdOf(state, point),
    density: readField(records, point, density),
    minPoints: state.parameters.minPoints,
    nearestCore,
    neighbours: itemsOf(state, near, neighboursMax, itemId),
    changedAt: toldSequence(state.items, item),
  };
}
