import type { ClusteringParameters } from '../clustering.ts';
import { normOf } from '../distance.ts';
import { hitLists, Hits } from './hits.ts';
import type { SearchIndex } from './search-index.ts';
import { TreeIndex } from './tree-index.ts';
import { searchTree } from './tree-layout.ts';

export function createTreeSearch(dimensions: number, parameters: ClusteringParameters): SearchIndex {
  const tree = new TreeIndex(dimensions, parameters.metric);
  return {
    points: tree.points,
    add: (vector) => tree.add(vector),
    remove: (point) => tree.remove(point),
    vector: (point) => tree.vector(point).slice(),
    readVector: (point, into) => {
      into.set(tree.vector(point));
      return into;
    },
    norm: (point) => normOf(tree.vector(point)),
    // A query takes microseconds.
    state: () => undefined,
    searchNow: (vectors, under) => {
      const hits = new Hits();
      const state = tree.state(under.metric);
      for (const [index, vector] of vectors.entries()) searchTree(state, index, vector, under, hits);
      return hitLists(hits.grouped(vectors.length));
    },
    settle: () => false,
    wanted: () => [],
    work: () => 1_000 * dimensions,
    describe: () => ({ kernel: 'tree', reason: `${dimensions} dimensions: a bucket k-d tree in float64` }),
    memoryBytes: () => tree.memoryBytes,
  };
}
