/** What the searches of a stage hold, and what they have to. */
import type { NeighbourSearch, OpenSearch } from '../../../src/clustering/neighbour-search.ts';
import type { ClusterPartition } from '../../../src/stages/cluster/cluster-stage.ts';
import { restoreState } from '../../../src/stages/cluster/snapshot.ts';
import { emptyState } from '../../../src/stages/cluster/state.ts';
import { asChunks, features } from './fold-harness.ts';

/** What has been stored and not released, of the searches that are open. */
export function createCounted(openSearch: OpenSearch): { readonly openSearch: OpenSearch; readonly stored: () => number; readonly searches: () => number; readonly prepared: () => number } {
  const counts = new Map<NeighbourSearch, number>();
  let prepared = 0;
  const counted: OpenSearch = (dimensions, parameters) => {
    const search = openSearch(dimensions, parameters);
    counts.set(search, 0);
    const add = (count: number): void => {
      const before = counts.get(search);
      if (before !== undefined) counts.set(search, before + count);
      else if (count > 0) throw new Error('something was stored in a search that was closed');
    };
    return {
      ...search,
      get parameters() {
        return search.parameters;
      },
      prepare: (vectors) => {
        add(vectors.length);
        prepared += vectors.length;
        return search.prepare(vectors);
      },
      prepareNow: (vector) => {
        add(1);
        return search.prepareNow(vector);
      },
      load: (rows) => {
        add(rows.length / dimensions);
        search.load(rows);
      },
      release: (point) => {
        add(-1);
        search.release(point);
      },
      close: () => {
        counts.delete(search);
        return search.close();
      },
    };
  };
  return { openSearch: counted, stored: () => [...counts.values()].reduce((sum, count) => sum + count, 0), searches: () => counts.size, prepared: () => prepared };
}

/** Vectors that differ, collection by collection. */
export async function liveVectors(partition: ClusterPartition): Promise<number> {
  const state = emptyState(features);
  await restoreState(state, asChunks(partition.snapshot()));
  const collections = [...state.families.values()].flatMap((each) => [...each.collections.values()]);
  return collections.reduce((sum, { clustering, items }) => sum + new Set([...items.keys()].map((itemId) => String(clustering.vector(itemId)))).size, 0);
}
