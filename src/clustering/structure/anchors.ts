/**
 * Which core point each point that is not core hangs on: the nearest core neighbour, so that the partition does not depend on the order of
 * arrival. A tie goes to the core point whose vector bytes compare lower. A point that is not core has fewer than minPoints neighbours, so
 * choosing anew is cheap. A component counts the items of its border points.
 */
import { vectorBytes } from '../distance.ts';
import { readNeighbours, type IntList } from './adjacency.ts';
import { componentFields } from './component-table.ts';
import type { Structure } from './structure.ts';
import { pointFields } from './points.ts';
import { addToField, readField, writeField } from './records.ts';

const { weight, component, anchor, next, previous } = pointFields;

/** To be called while the anchor is still core. */
export function releaseAnchor(structure: Structure, point: number): void {
  const { records } = structure.points;
  const core = readField(records, point, anchor);
  if (core === -1) return;
  structure.beforeChange(point);
  const after = readField(records, point, next);
  const before = readField(records, point, previous);
  if (before === -1) writeField(records, core, anchor, after);
  else writeField(records, before, next, after);
  if (after !== -1) writeField(records, after, previous, before);
  for (const field of [anchor, next, previous]) writeField(records, point, field, -1);
  addToField(structure.components.records, readField(records, core, component), componentFields.borders, -readField(records, point, weight));
}

/** Of a point that has no anchor. */
export function chooseAnchor(structure: Structure, point: number, scratch: IntList): void {
  const core = nearestCore(structure, point, scratch);
  if (core === -1) return;
  structure.beforeChange(point);
  const { records } = structure.points;
  const first = readField(records, core, anchor);
  writeField(records, point, anchor, core);
  writeField(records, point, next, first);
  if (first !== -1) writeField(records, first, previous, point);
  writeField(records, core, anchor, point);
  addToField(structure.components.records, readField(records, core, component), componentFields.borders, readField(records, point, weight));
}

/** The points that hang on a core point. */
export function* anchoredOn({ points: { records } }: Structure, core: number): Generator<number> {
  for (let point = readField(records, core, anchor); point !== -1; point = readField(records, point, next)) yield point;
}

/** -1: no neighbour is core. */
function nearestCore(structure: Structure, point: number, scratch: IntList): number {
  const { search } = structure;
  readNeighbours(structure.adjacency, point, scratch);
  let nearest = -1;
  let nearestDistance = Infinity;
  for (let index = 0; index < scratch.length; index++) {
    const candidate = scratch.values[index] as number;
    if (readField(structure.points.records, candidate, component) === -1) continue;
    const distance = search.distance(point, candidate);
    if (nearest !== -1 && distance > nearestDistance) continue;
    if (nearest !== -1 && distance === nearestDistance && !comparesLower(structure, candidate, nearest)) continue;
    nearest = candidate;
    nearestDistance = distance;
  }
  return nearest;
}

function comparesLower({ search }: Structure, left: number, right: number): boolean {
  return Buffer.compare(vectorBytes(search.vector(left)), vectorBytes(search.vector(right))) < 0;
}
