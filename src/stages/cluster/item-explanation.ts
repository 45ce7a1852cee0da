/** Why an item is where it is, for people: the clustering's own explanation, with the parameters that it holds under. */
import type { Explanation } from '../../clustering/clustering.ts';
import type { Metric } from '../../core/events.generated.ts';
import { nearestToNoise, type NearestToNoise } from './nearest-to-noise.ts';
import { liveItem, type FamilyState } from './state.ts';

/** What is found without looking at all items. */
export type ItemReason = Explanation & {
  readonly itemId: string;
  readonly family: string;
  readonly collection: string;
  readonly clusterName: string | null;
  readonly metric: Metric;
  readonly eps: number;
  /** Of the projection that the vectors went through before distances were taken; null: none. */
  readonly projectionSha256: string | null;
};

export type ItemExplanation = ItemReason & {
  /** Of noise only. */
  readonly nearest: NearestToNoise | null;
};

/** Undefined where the family does not hold the item. */
export function reasonOf(family: FamilyState, itemId: string, neighboursMax: number): ItemReason | undefined {
  const collection = liveItem(family, itemId)?.collection;
  const explanation = collection?.clustering.explain(itemId, neighboursMax);
  if (collection === undefined || explanation === undefined) return undefined;
  const { metric, eps } = collection.clustering.parameters;
  const clusterName = explanation.clusterId === null ? null : (collection.clusterNames.get(explanation.clusterId) ?? null);
  return { itemId, family: family.name, collection: collection.name, clusterName, metric, eps, projectionSha256: family.projectionSha256, ...explanation };
}

/** Undefined where the family does not hold the item. */
export function explainItem(family: FamilyState, itemId: string, neighboursMax: number): ItemExplanation | undefined {
  const reason = reasonOf(family, itemId, neighboursMax);
  const collection = liveItem(family, itemId)?.collection;
  if (reason === undefined || collection === undefined) return undefined;
  return { ...reason, nearest: reason.role === 'noise' ? nearestToNoise(collection, itemId) : null };
}
