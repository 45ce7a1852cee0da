/** What one record does to each item, folded first: only the net change of a record counts. */
import { clusteringError } from '../../core/errors/clustering.ts';
import type { ClusteringParameters, Mutation } from '../clustering.ts';
import { checkVector } from '../distance.ts';
import type { PreparedVector } from '../neighbour-search.ts';
import type { SlicedWork } from '../sliced-work.ts';
import { isNearlyFull } from './adjacency.ts';
import { perPoint } from './effort.ts';
import { dimensionsIn, type EngineState } from './engine-state.ts';
import { findItem } from './item-table.ts';

type Entering = { readonly itemId: string; readonly vector: Float32Array; readonly prepared: PreparedVector | undefined };

export type NetMutations = {
  /** Live before the record, and gone or replaced by it. */
  readonly leaving: readonly { readonly itemId: string; readonly item: number; readonly replaced: boolean }[];
  readonly entering: readonly Entering[];
  /** Live before the record, gone after it, and consumers are to hear of it. */
  readonly removalsTold: readonly string[];
  /** Of inserts that a later mutation undoes. */
  readonly unused: readonly PreparedVector[];
};

const nobody = (): boolean => false;

/**
 * Changes nothing.
 * @param livedElsewhere of an item that is not here: whether consumers know it.
 * @throws LS_CLUSTERING_SEQUENCE_NOT_RISING, LS_CLUSTERING_ITEM_ID_INVALID, LS_CLUSTERING_VECTOR_INVALID
 */
export function* checkedMutations(
  state: EngineState,
  { metric }: ClusteringParameters,
  mutations: readonly Mutation[],
  sequence: bigint,
  livedElsewhere: (itemId: string) => boolean = nobody,
): SlicedWork<NetMutations> {
  if (state.sequence !== undefined && sequence <= state.sequence) {
    const message = `sequence ${String(sequence)} does not follow ${String(state.sequence)}`;
    throw clusteringError('LS_CLUSTERING_SEQUENCE_NOT_RISING', message, { sequence, previous: state.sequence });
  }
  // Ids are kept as UTF-8, in which all halves of surrogate pairs are the same.
  const torn = mutations.find(({ itemId }) => !itemId.isWellFormed());
  if (torn !== undefined) throw clusteringError('LS_CLUSTERING_ITEM_ID_INVALID', `the itemId ${JSON.stringify(torn.itemId)} holds half of a surrogate pair`);
  const net = yield* netMutations(state, mutations, livedElsewhere);
  if (net.entering.length > 0 && isNearlyFull(state.structure.adjacency)) {
    throw clusteringError('LS_CLUSTERING_GRAPH_FULL', `there is no room for the neighbours of ${net.entering[0]?.itemId ?? ''}: ${state.structure.adjacency.edgeCount} pairs of items are within eps of each other`);
  }
  const dimensions = dimensionsIn(state) ?? net.entering[0]?.vector.length ?? 0;
  for (const { itemId, vector } of net.entering) {
    const fault = checkVector(vector, dimensions, metric);
    if (fault !== undefined) throw clusteringError('LS_CLUSTERING_VECTOR_INVALID', `the vector of ${itemId} ${fault}`, { itemId });
  }
  return net;
}

function* netMutations(state: EngineState, mutations: readonly Mutation[], livedElsewhere: (itemId: string) => boolean): SlicedWork<NetMutations> {
  const outcomes = new Map<string, { readonly entering: Entering | undefined; readonly removalTold: boolean }>();
  const unused: PreparedVector[] = [];
  for (const mutation of mutations) {
    const former = outcomes.get(mutation.itemId);
    if (former?.entering?.prepared !== undefined) unused.push(former.entering.prepared);
    const removalTold = former?.removalTold ?? false;
    outcomes.set(
      mutation.itemId,
      mutation.kind === 'insert'
        ? { entering: { itemId: mutation.itemId, vector: mutation.vector, prepared: mutation.prepared }, removalTold }
        : { entering: undefined, removalTold: removalTold || mutation.told },
    );
  }
  const leaving: NetMutations['leaving'][number][] = [];
  const entering: Entering[] = [];
  const removalsTold: string[] = [];
  for (const [itemId, { entering: enters, removalTold }] of outcomes) {
    yield 2 * perPoint;
    const item = findItem(state.items, itemId);
    if (item !== -1) leaving.push({ itemId, item, replaced: enters !== undefined });
    if (enters !== undefined) entering.push(enters);
    else if (removalTold && (item !== -1 || livedElsewhere(itemId))) removalsTold.push(itemId);
  }
  return { leaving, entering, removalsTold, unused };
}
