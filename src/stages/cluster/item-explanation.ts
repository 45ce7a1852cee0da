/** Why an item is where it is, for people: the clustering's own explanation, with the parameters that it holds under. */
import type { Explanation } from '../../clustering/clustering.ts';
import type { Metric } from '../../core/events.generated.ts';
import { nearestToNoise, type NearestToNoise } from './nearest-to-noise.ts';
import { liveItem, type FamilyState } from './state.ts';

export type ItemExplanation = Explanation & {
  readonly itemId: string;
  readonly family: string;
  readonly collection: string;
  readonly clusterName: string | null;
  readonly metric: Metric;
  readonly eps: number;
  /** Of the projection that the vectors went through before distances were taken; null: none. */
  readonly projectionSha256: string | null;
  /** Of noise only. */
  readonly nearest: NearestToNoise | null;
};

/** Undefined where the family does not hold the item. */
export function explainItem(family: FamilyState, itemId: string, neighboursMax: number): ItemExplanation | undefined {
  const collection = liveItem(family, itemId)?.collection;
  const explanation = collection?.clustering.explain(itemId, neighboursMax);
  if (collection === undefined || explanation === undefined) return undefined;
  const { metric, eps } = collection.clustering.parameters;
  const clusterName = explanation.clusterId === null ? null : (collection.clusterNames.get(explanation.clusterId) ?? null);
  const nearest = explanation.role === 'noise' ? nearestToNoise(collection, itemId) : null;
  return { itemId, family: family.name, collection: collection.name, clusterName, metric, eps, projectionSha256: family.projectionSha256, nearest, ...explanation };
}
