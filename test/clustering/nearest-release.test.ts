/** What is asked for is near while points are released, however many turns of the microtask queue after the question. */
import { expect, test } from 'vitest';
import type { ClusteringParameters } from '../../src/clustering/clustering.ts';
import { createClustering } from '../../src/clustering/incremental-dbscan.ts';
import { createNeighbourSearch, type SearchOptions } from '../../src/clustering/search/fast-search.ts';
import { identity } from './run-scenario.ts';

const parameters: ClusteringParameters = { metric: 'euclidean', eps: 100, minPoints: 2 };
const searches: readonly (readonly [string, number, SearchOptions])[] = [['tree', 2, {}], ['few vectors', 20, {}], ['flat', 20, { kernel: 'flat' }]];

test.each(searches)('%s: the nearest are those of before or after, never fewer, and nothing throws', async (_name, dimensions, options) => {
  const at = (x: number): Float32Array => Float32Array.from({ length: dimensions }, (_, index) => (index === 0 ? x : 0));
  for (let turns = 0; turns < 24; turns++) {
    const clustering = createClustering(parameters, identity, (length, given) => createNeighbourSearch(length, given, options));
    clustering.apply([5, 1, 3, 2, 4, 6].map((x) => ({ kind: 'insert', itemId: `item ${x}`, vector: at(x) })), 1n);
    const [prepared] = await clustering.prepare([at(2.5)]);
    const asked = clustering.nearest(at(0), 10);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    clustering.discard(prepared!);
    expect((await asked).map(({ itemId }) => itemId), `${turns} turns`).toEqual([1, 2, 3, 4, 5, 6].map((x) => `item ${x}`));
    await clustering.close();
  }
});
