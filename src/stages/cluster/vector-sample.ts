/** A sample of the vectors of a collection, as the model gave them: of its items those whose hashes are lowest, whatever the order in which they came. */
import type { ClusteringParameters } from '../../clustering/clustering.ts';
import { rawVectorOf } from './projected-vectors.ts';
import { compareText, type CollectionState, type FamilyState } from './state.ts';

export type VectorSample = {
  readonly family: string;
  readonly collection: string;
  readonly generation: string;
  readonly parameters: ClusteringParameters;
  /** In force: what is clustered are the images of the vectors. */
  readonly projectionSha256: string | null;
  /** Of the collection. */
  readonly itemCount: number;
  /** In the byte order of their itemIds; copies. */
  readonly vectors: readonly Float32Array[];
};

/** @param sizeMax all items where there are no more. */
export function sampleVectors({ name: family, generation, projectionSha256 }: FamilyState, collection: CollectionState, sizeMax: number): VectorSample {
  const { name, clustering, items } = collection;
  const hashed = Array.from(items.keys(), (itemId) => ({ itemId, hash: hashOf(itemId) }));
  const chosen = hashed.length <= sizeMax ? hashed : hashed.sort((left, right) => left.hash - right.hash || compareText(left.itemId, right.itemId)).slice(0, sizeMax);
  const vectors = chosen
    .map(({ itemId }) => itemId)
    .sort(compareText)
    .flatMap((itemId) => rawVectorOf(collection, itemId) ?? []);
  return { family, collection: name, generation, parameters: clustering.parameters, projectionSha256, itemCount: items.size, vectors };
}

/** FNV-1a over the code units, then the last step of MurmurHash3: ids that count upwards are spread over all values. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
