/** Why an item is where it is, for people: the clustering's own explanation, with the parameters that it holds under. */
import type { Explanation } from '../../clustering/clustering.ts';
import type { Metric } from '../../core/events.generated.ts';
import { liveItem, type FamilyState } from './state.ts';

export type ItemExplanation = Explanation & {
  readonly itemId: string;
  readonly family: string;
  readonly collection: string;
  readonly clusterName: string | null;
  readonly metric: Metric;
  readonly eps: number;
};

/** Undefined where the family does not hold the item. */
export function explainItem(family: FamilyState, itemId: string, neighboursMax: number): ItemExplanation | undefined {
  const collection = liveItem(family, itemId)?.collection;
  const explanation = collection?.clustering.explain(itemId, neighboursMax);
  if (collection === undefined || explanation === undefined) return undefined;
  const { metric, eps } = collection.clustering.parameters;
  const clusterName = explanation.clusterId === null ? null : (collection.clusterNames.get(explanation.clusterId) ?? null);
  return { itemId, family: family.name, collection: collection.name, clusterName, metric, eps, ...explanation };
}
