/** Where a vector would be, and what is near an item, in the state that the answer finds: nothing is inserted. */
import { LabelstreamError } from '../../core/errors/error.ts';
import { clusterError } from '../../core/errors/cluster.ts';
import type { ItemNeighbours, VectorPlace } from './cluster-queries.ts';
import { imageOf, projectionOf } from './projected-vectors.ts';
import { collectionsNamed, placeOf, type CollectionState, type FamilyState, type PartitionState } from './state.ts';

type Named = { readonly collection: string; readonly family?: string | undefined };

export async function placeVector(state: PartitionState, { collection: name, family: familyName }: Named, vector: Float32Array): Promise<readonly VectorPlace[]> {
  const found = [...collectionsNamed(state, { collection: name, family: familyName })];
  const named = found.length === 0 ? state.families.get(familyName ?? name) : undefined;
  // It would be the first of its collection.
  if (named !== undefined) {
    imageIn(state, named, vector);
    return [placedAlone(named, name)];
  }
  return Promise.all(found.map(({ family, collection }) => placeIn(family, collection, imageIn(state, family, vector))));
}

/** What is clustered in the vector's place. Throws LS_CLUSTER_VECTOR_INVALID. */
function imageIn(state: PartitionState, family: FamilyState, vector: Float32Array): Float32Array {
  const image = imageOf(projectionOf(state, family), family.parameters.metric, vector, family.definition.dimensions);
  if (image.fault !== undefined) throw clusterError('LS_CLUSTER_VECTOR_INVALID', `The vector asked about ${image.fault}.`, { family: family.name });
  return image.vector;
}

function placedAlone({ name: family, parameters }: FamilyState, collection: string): VectorPlace {
  return { family, collection, role: parameters.minPoints === 1 ? 'core' : 'noise', clusterId: null, clusterName: null, nearestCore: null };
}

async function placeIn({ name: family }: FamilyState, collection: CollectionState, image: Float32Array): Promise<VectorPlace> {
  const placement = await unlessReplaced(collection, (clustering) => clustering.assign(image));
  const { clusterId } = placement;
  return { family, collection: collection.name, ...placement, clusterName: clusterId === null ? null : (collection.clusterNames.get(clusterId) ?? null) };
}

/** Undefined where the family does not hold the item. */
export function nearestInFamily(family: FamilyState, itemId: string, countMax: number): Promise<ItemNeighbours> | undefined {
  const collection = placeOf(family, itemId);
  if (collection === undefined) return undefined;
  const ask = async (): Promise<ItemNeighbours> => {
    const neighbours = await unlessReplaced(collection, (clustering) => clustering.nearest(itemId, countMax));
    return { family: family.name, collection: collection.name, neighbours };
  };
  return ask();
}

/** A record may put another clustering into the place of the one that is asked, and close that. */
async function unlessReplaced<Result>(collection: CollectionState, ask: (clustering: CollectionState['clustering']) => Promise<Result>): Promise<Result> {
  for (;;) {
    const { clustering } = collection;
    try {
      return await ask(clustering);
    } catch (error) {
      const wasClosed = error instanceof LabelstreamError && error.code === 'LS_CLUSTERING_CLOSED';
      if (!wasClosed || collection.clustering === clustering) throw error;
    }
  }
}
