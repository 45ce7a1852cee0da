/** The graph made anew from the live points, under the parameters of now: one pass over all pairs, which the search gives. */
import { addEdge, createAdjacency } from './adjacency.ts';
import { createComponents } from './component-table.ts';
import type { EngineState } from './engine-state.ts';
import type { Membership } from './membership.ts';
import { releaseGone } from './gone-points.ts';
import { pointFields } from './points.ts';
import { addToField, readField, writeField } from './records.ts';

const { weight, density, component, anchor, next, previous, head } = pointFields;

/** What has entered counts in the densities, not yet in the weights. @returns the live points. */
export function linkAnew(state: EngineState, { enteredOn, dead, opened }: Membership): number[] {
  const { structure, stored } = state;
  const { points } = structure;
  const { records } = points;
  for (const watcher of state.watchers) watcher.beforeRebuild();
  for (const prepared of opened) stored.settle(prepared);
  for (const point of dead) stored.retire(point);
  releaseGone(points, structure.gone, stored.retire);
  points.flags.fill(0);
  structure.adjacency = createAdjacency(points);
  structure.components = createComponents();
  structure.pairCount = 0;
  const live: number[] = [];
  const weights = new Int32Array(points.marks.length);
  for (let point = 0; point < weights.length; point++) {
    const own = readField(records, point, weight) + (enteredOn.get(point) ?? 0);
    writeField(records, point, density, own);
    if (own === 0) continue;
    weights[point] = own;
    live.push(point);
    for (const field of [component, anchor, next, previous, head]) writeField(records, point, field, -1);
  }
  if (live.length === 0) return live;
  for (const { point, near } of stored.search().pairsNow(state.parameters)) {
    if ((weights[point] ?? 0) === 0) continue;
    for (const other of near) {
      if ((weights[other] ?? 0) === 0) continue;
      addEdge(structure.adjacency, point, other);
      addToField(records, point, density, weights[other] as number);
      addToField(records, other, density, weights[point] as number);
    }
  }
  for (const point of live) structure.pairCount += (weights[point] as number) * readField(records, point, density);
  return live;
}
