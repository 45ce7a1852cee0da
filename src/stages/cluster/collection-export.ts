/** All items of a collection with their clusters, a few at a time, while records go on being folded. */
import { clusterError } from '../../core/errors/cluster.ts';
import type { CollectionExport, ExportedItem } from './cluster-queries.ts';
import type { CollectionState, FamilyState } from './state.ts';

export function exportCollection({ name: family }: FamilyState, collection: CollectionState): CollectionExport {
  const { name, clustering, items } = collection;
  const values = items.values();
  const exported = ({ itemId, inputId }: { readonly itemId: string; readonly inputId: string }): ExportedItem => {
    const { role = 'noise', clusterId = null } = clustering.item(itemId) ?? {};
    return { itemId, inputId, role, clusterId, clusterName: clusterId === null ? null : (collection.clusterNames.get(clusterId) ?? null) };
  };
  return {
    family,
    collection: name,
    take: (countMax) => {
      // Its items have other numbers now, and what is iterated goes by those.
      if (collection.clustering !== clustering) throw clusterError('LS_CLUSTER_EXPORT_OVERTAKEN', `${name} has gone over to another generation while it was exported`, { collection: name });
      return Array.from(taken(values, countMax), exported);
    },
  };
}

function* taken<Value>(values: Iterator<Value>, countMax: number): Generator<Value> {
  for (let count = 0; count < countMax; count++) {
    const next = values.next();
    if (next.done === true) return;
    yield next.value;
  }
}
