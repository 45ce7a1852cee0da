/** What interfaces ask about clusters with. */
import { z } from 'zod';
import { serverError } from '../../core/errors/server.ts';
import { askAll, type AskOptions, type LiveClusters, type VectorPlace } from '../../stages/cluster/cluster-queries.ts';

export const itemDistance = z.strictObject({ itemId: z.string(), distance: z.number() });
export const itemRole = z.enum(['core', 'border', 'noise']);

/** Throws LS_SERVER_NOT_READY until they can be asked. */
export type AskedClusters = () => Pick<LiveClusters, 'partitions'>;

/** For each vector its places. Rejects with LS_SERVER_NOT_FOUND where the collection is unknown, LS_CLUSTER_VECTOR_INVALID. */
export async function placesOf(clusters: Pick<LiveClusters, 'partitions'>, name: string, vectors: readonly Float32Array[], options: AskOptions) {
  const { value, heldAt: held } = await askAll(clusters, (view) => (view.familyOf(name) === undefined ? undefined : Promise.all(vectors.map((each) => view.place(name, each)))), options);
  const found = value.filter((each) => each !== undefined);
  if (found.length === 0) throw unknown('collection', name);
  const places = vectors.map((_, index): readonly VectorPlace[] => found.flatMap((each) => each[index] ?? []));
  return { places, heldAt: held };
}

export function unknown(kind: 'collection' | 'cluster' | 'item', id: string): Error {
  const shown = JSON.stringify(id.length > 100 ? `${id.slice(0, 100)}...` : id);
  return serverError('LS_SERVER_NOT_FOUND', kind === 'item' ? `no collection holds an item ${shown}` : `there is no ${kind} ${shown}${kind === 'cluster' ? ' in that collection' : ''}`, { [kind]: id });
}
