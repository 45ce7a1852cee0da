/** The components as records of integers. What they are, and how they change: components.ts. */
import { createRecords, ensureRecord, readField, writeField, type Records } from './records.ts';

/** points: how many core points; 0: free, and `cluster` is the next free one. cores, borders: how many items. head: any point. */
export const componentFields = { points: 0, cores: 1, borders: 2, head: 3, cluster: 4 } as const;
const { points: pointCount, cores, borders, head, cluster } = componentFields;

export type Components = { readonly records: Records; count: number; free: number };

export function createComponents(): Components {
  return { records: createRecords(5), count: 0, free: -1 };
}

export function takeComponent(components: Components, clusterIndex: number): number {
  let taken = components.free;
  if (taken === -1) taken = components.count++;
  else components.free = readField(components.records, taken, cluster);
  ensureRecord(components.records, taken);
  for (const field of [pointCount, cores, borders]) writeField(components.records, taken, field, 0);
  writeField(components.records, taken, head, -1);
  writeField(components.records, taken, cluster, clusterIndex);
  return taken;
}

export function freeComponent(components: Components, freed: number): void {
  writeField(components.records, freed, pointCount, 0);
  writeField(components.records, freed, cluster, components.free);
  components.free = freed;
}
