/** A vector whose neighbours are known before the fold comes to its record. */
import type { Clustering } from '../../clustering/clustering.ts';
import type { PreparedVector } from '../../clustering/neighbour-search.ts';

export type SearchedVector = {
  /** For the clustering that it was searched for in, once; undefined for any other. */
  readonly takeFor: (clustering: Clustering) => PreparedVector | undefined;
  /** Without effect once it was taken. */
  readonly giveUp: () => void;
};

export function searchedVector(clustering: Clustering, prepared: PreparedVector | undefined): SearchedVector {
  let left = prepared;
  const take = (): PreparedVector | undefined => {
    const taken = left;
    left = undefined;
    return taken;
  };
  return {
    takeFor: (other) => (other === clustering ? take() : undefined),
    giveUp: () => {
      const taken = take();
      if (taken !== undefined) clustering.discard(taken);
    },
  };
}
