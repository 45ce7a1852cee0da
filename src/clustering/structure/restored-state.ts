/**
 * What the readers of both snapshot formats end with: points and edges are there, and every point's component, anchor and density follow from
 * what the snapshot says of it. Whatever cannot be is a RangeError, which the reader tells as LS_CLUSTERING_SNAPSHOT_INVALID.
 */
import { componentFields, takeComponent } from './component-table.ts';
import { putInComponent } from './components.ts';
import { entryOf } from './cluster-table.ts';
import type { EngineState } from './engine-state.ts';
import { isLive, pointFields } from './points.ts';
import { addToField, readField, writeField } from './records.ts';

const { weight, density, component, anchor, next, previous } = pointFields;

/**
 * @param clusterOf the cluster a point is core in, -1 where it is not core.
 * @param anchorOf the point that it hangs on, -1 where it hangs on none.
 */
export function placePoints(state: EngineState, pointCount: number, clusterOf: (point: number) => number, anchorOf: (point: number) => number): void {
  const { structure } = state;
  const { records } = structure.points;
  for (let point = 0; point < pointCount; point++) {
    const own = readField(records, point, weight);
    if (own === 0) throw new RangeError(`point ${point} has no items`);
    const cluster = clusterOf(point);
    if (readField(records, point, density) >= state.parameters.minPoints !== (cluster !== -1)) throw new RangeError(`point ${point} is not what its neighbours make it`);
    structure.pairCount += own * readField(records, point, density);
    if (cluster !== -1) putInComponent(structure, point, componentOf(state, cluster));
  }
  for (let point = 0; point < pointCount; point++) {
    const core = anchorOf(point);
    if (readField(records, point, component) === -1 && core !== -1) hang(state, point, core);
  }
  for (const entry of state.clusters.entries) {
    if (entry !== undefined && entry.component === unplaced) throw new RangeError(`cluster ${entry.id} has no core`);
  }
}

/** A cluster that lives, and whose first core is still to come. */
export const unplaced = -2;

function componentOf({ structure, clusters }: EngineState, cluster: number): number {
  const entry = entryOf(clusters, cluster);
  if (entry.component === unplaced) entry.component = takeComponent(structure.components, cluster);
  if (entry.component === -1) throw new RangeError(`cluster ${entry.id} does not live`);
  return entry.component;
}

function hang({ structure: { points, components } }: EngineState, point: number, core: number): void {
  const { records } = points;
  if (core < 0 || !isLive(points, core) || readField(records, core, component) === -1) throw new RangeError(`point ${core} is not core`);
  const first = readField(records, core, anchor);
  writeField(records, point, anchor, core);
  writeField(records, point, next, first);
  if (first !== -1) writeField(records, first, previous, point);
  writeField(records, core, anchor, point);
  addToField(components.records, readField(records, core, component), componentFields.borders, readField(records, point, weight));
}

export function at<Entry>(entries: readonly Entry[], index: number): Entry {
  const entry = entries[index];
  if (entry === undefined) throw new RangeError(`it refers to entry ${index} of ${entries.length}`);
  return entry;
}
