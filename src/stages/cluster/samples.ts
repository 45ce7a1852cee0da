/** Chooses the items by which people recognise a cluster: those nearest to the mean of its vectors. For people alone: nothing depends on it. */
import type { Clustering } from '../../clustering/clustering.ts';
import { normOf } from '../../clustering/distance.ts';

/** Of a large cluster so many items, evenly spread over its members, are looked at: an answer is not to hold up the main loop. */
const membersRead = 256;

/** The nearest first; a tie keeps the order given. */
export function nearestToMean(clustering: Clustering, itemIds: readonly string[], countMax: number): readonly string[] {
  const stride = Math.max(1, Math.ceil(itemIds.length / membersRead));
  const candidates = itemIds.flatMap((itemId, index) => {
    const vector = index % stride === 0 ? clustering.vector(itemId) : undefined;
    return vector === undefined ? [] : [{ itemId, vector: directed(clustering, vector) }];
  });
  const mean = meanOf(candidates.map(({ vector }) => vector));
  return candidates
    .map(({ itemId, vector }) => ({ itemId, distance: squaredDistance(vector, mean) }))
    .sort((left, right) => left.distance - right.distance)
    .slice(0, countMax)
    .map(({ itemId }) => itemId);
}

/** Under the cosine metric length means nothing. */
function directed({ parameters }: Clustering, vector: Float32Array): Float64Array {
  const norm = parameters.metric === 'cosine' ? normOf(vector) : 1;
  return Float64Array.from(vector, (value) => value / norm);
}

function meanOf(vectors: readonly Float64Array[]): Float64Array {
  const mean = new Float64Array(vectors[0]?.length ?? 0);
  for (const vector of vectors) for (let index = 0; index < mean.length; index++) mean[index] = (mean[index] ?? 0) + (vector[index] ?? 0);
  return mean.map((sum) => sum / vectors.length);
}

function squaredDistance(left: Float64Array, right: Float64Array): number {
  let sum = 0;
  for (let index = 0; index < left.length; index++) sum += ((left[index] ?? 0) - (right[index] ?? 0)) ** 2;
  return sum;
}
