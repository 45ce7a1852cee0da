/** What an import has to have in common with the collection, and what became of its clusters there. */
import { checkVector } from '../../clustering/distance.ts';
import { cliError } from '../../core/errors/cli.ts';
import { clusterError } from '../../core/errors/cluster.ts';
import type { ClusterView, FamilyDefinition } from '../../stages/cluster/cluster-queries.ts';
import type { ClusterFile } from './cluster-file.ts';

/** In which the collection is another than the file, each in words. What the file does not say is not compared. */
export function parameterDifferences(file: ClusterFile, definition: FamilyDefinition): readonly string[] {
  const { eps, minPoints, metric, projectionSha256 } = definition;
  const metricOfFile = file.metric === 'l2' ? 'euclidean' : file.metric;
  const different = (name: string, inFile: number | string | undefined, here: number | string): readonly string[] => (inFile === undefined || inFile === here ? [] : [`${name} is ${inFile} in the file, ${here} in the collection`]);
  return [
    ...different('eps', file.eps, eps),
    ...different('min_samples', file.minPoints, minPoints),
    ...different('metric', metricOfFile, metric),
    ...(projectionSha256 === null ? [] : ['the collection compares projected vectors']),
  ];
}

/** Rejects with LS_CLI_IMPORT_PARAMETERS: another model cannot be allowed. */
export function requireModel({ model, modelVersion }: ClusterFile, definition: FamilyDefinition): void {
  const isOther = (model !== undefined && model !== definition.model) || (modelVersion !== undefined && modelVersion !== definition.modelVersion);
  if (!isOther) return;
  const message = `the vectors are those of ${model ?? definition.model} ${modelVersion ?? ''}; ${definition.family} has ${definition.model} ${definition.modelVersion}, and vectors of two models cannot be compared`;
  throw cliError('LS_CLI_IMPORT_PARAMETERS', message, { family: definition.family });
}

/** All of them, before any is appended. Rejects with LS_CLUSTER_VECTOR_INVALID, LS_CLI_IMPORT_FILE. */
export async function requireVectors(file: ClusterFile, { family, dimensions, metric }: FamilyDefinition, signal: AbortSignal): Promise<void> {
  let row = 0;
  for await (const vector of file.vectors()) {
    signal.throwIfAborted();
    const fault = checkVector(vector, dimensions, metric);
    if (fault !== undefined) throw clusterError('LS_CLUSTER_VECTOR_INVALID', `the vector of ${file.items[row] ?? row} ${fault}; the model of ${family} gives ${dimensions} dimensions`, { family, row });
    row += 1;
  }
}

export type ImportedCluster = {
  /** In the file; -1: noise. */
  readonly cluster: number;
  readonly items: number;
  /** The living cluster that holds most of them; null: none of them is in one. Of noise null. */
  readonly clusterId: string | null;
  /** As it is called now. */
  readonly name: string | null;
  /** Items that are there; of noise those that are noise. */
  readonly agreeing: number;
  /** Items of that living cluster that are of other clusters of the file, of its noise, or none of the import's. */
  readonly others: number;
  /** Items that are not in the collection: refused, forgotten, or gone by its window. */
  readonly missing: number;
};

/** By the number of the cluster, noise last. @param itemIds as the file has them, in its order. */
export function importedClusters(view: ClusterView, { clusters }: Pick<ClusterFile, 'clusters'>, itemIds: readonly string[], { family, collection }: { readonly family: string; readonly collection: string }): readonly ImportedCluster[] {
  const tallies = new Map<number, Tally>();
  for (const [row, itemId] of itemIds.entries()) {
    const cluster = clusters[row] ?? -1;
    const tally = tallies.get(cluster) ?? { items: 0, missing: 0, noise: 0, living: new Map<string, number>() };
    tallies.set(cluster, tally);
    const place = view.item(itemId).value.find((each) => each.family === family && each.collection === collection);
    tally.items += 1;
    if (place === undefined) tally.missing += 1;
    else if (place.clusterId === null) tally.noise += 1;
    else tally.living.set(place.clusterId, (tally.living.get(place.clusterId) ?? 0) + 1);
  }
  const living = new Map(view.clusters({ family, collection, samplesMax: 0 }).value.map((each) => [each.clusterId, each]));
  return [...tallies].sort(([left], [right]) => (left === -1 ? 1 : right === -1 ? -1 : left - right)).map(([cluster, { items, missing, noise, living: held }]): ImportedCluster => {
    const [clusterId, agreeing] = [...held].sort(([leftId, left], [rightId, right]) => right - left || (leftId < rightId ? -1 : 1))[0] ?? [null, 0];
    if (cluster === -1 || clusterId === null) return { cluster, items, clusterId: null, name: null, agreeing: cluster === -1 ? noise : 0, others: 0, missing };
    const { name = null, size = agreeing } = living.get(clusterId) ?? {};
    return { cluster, items, clusterId, name, agreeing, others: size - agreeing, missing };
  });
}

type Tally = { items: number; missing: number; noise: number; readonly living: Map<string, number> };
