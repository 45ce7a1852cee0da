/** Questions and answers of a worker stay together, whatever becomes of one of them. */
import { afterAll, expect, test } from 'vitest';
import type { ClusteringParameters } from '../../../src/clustering/clustering.ts';
import { createPlainSearch } from '../../../src/clustering/plain-search.ts';
import { createNeighbourSearch } from '../../../src/clustering/search/fast-search.ts';
import { createSearchWorkers, type SearchWorkers } from '../../../src/clustering/search/search-workers.ts';
import { createRandom } from '../random.ts';

const workers = createSearchWorkers();
afterAll(() => workers.close());

test('a question that cannot be sent is answered here, and those after it get their own answers', async () => {
  const random = createRandom(3);
  const parameters: ClusteringParameters = { metric: 'euclidean', eps: 4, minPoints: 3 };
  let isSendable = true;
  const failing: SearchWorkers = {
    ...workers,
    search: (request, work) => workers.search(isSendable ? request : { ...request, parameters: Object.assign(() => undefined, request.parameters) }, work),
  };
  const search = createNeighbourSearch(40, parameters, { workers: failing, kernel: 'flat', workerFrom: 0 });
  const plain = createPlainSearch(40, parameters);
  const vectors = Array.from({ length: 60 }, () => Float32Array.from({ length: 40 }, () => random.gaussian() / 2));
  for (const vector of vectors) search.load(vector);
  for (const vector of vectors) plain.load(vector);
  for (const [index, vector] of vectors.entries()) {
    isSendable = index % 5 !== 2;
    expect([...(await search.find(vector))].sort()).toEqual([...(await plain.find(vector))].sort());
  }
  expect(search.statistics().reason).toContain('a worker failed 12 times');
  await search.close();
});

test('a search after they were closed starts no thread, and is done on the calling thread', async () => {
  const parameters: ClusteringParameters = { metric: 'euclidean', eps: 4, minPoints: 3 };
  const closed = createSearchWorkers({ threads: 1 });
  const search = createNeighbourSearch(3, parameters, { workers: closed, kernel: 'flat', workerFrom: 0 });
  for (const values of [[0, 0, 0], [1, 0, 0], [9, 0, 0]]) search.load(Float32Array.from(values));
  expect([...(await search.find(Float32Array.of(0, 0, 0)))].sort()).toEqual([0, 1]);
  expect(search.statistics().reason).not.toContain('failed');
  await closed.close();
  expect([...(await search.find(Float32Array.of(9, 0, 0)))]).toEqual([2]);
  expect(search.statistics().reason).toContain('a worker failed 1 times');
  await expect(closed.search({ index: 0, dimensions: 3, state: search as never, parameters, queries: [] as never }, 1)).rejects.toThrow('the search workers are closed');
  await search.close();
  await closed.close();
});
