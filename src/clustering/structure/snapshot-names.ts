/** The clusters and aliases in a snapshot, and by what number the rest of it names them. */
import { entryOf, livingByAge, type ClusterTable } from './cluster-table.ts';

export type Names = {
  /** Cluster -> its place among the clusters and then the aliases. */
  readonly indices: Int32Array;
  readonly clusterChunks: readonly Buffer[];
  readonly aliasChunks: readonly Buffer[];
};

const entriesPerChunk = 4096;

/** Clusters by age, aliases by id. */
export function namesOf(clusters: ClusterTable): Names {
  const living = livingByAge(clusters);
  const aliases = clusters.entries.flatMap((entry) => {
    return entry?.alias === undefined ? [] : [[entry.id, entryOf(clusters, entry.alias.to).id, String(entry.alias.sequence)] as const];
  });
  aliases.sort(([left], [right]) => (left < right ? -1 : 1));
  const indices = new Int32Array(clusters.entries.length).fill(-1);
  for (const [name, id] of [...living.map((entry) => entry.id), ...aliases.map(([from]) => from)].entries()) {
    indices[clusters.indices.get(id) as number] = name;
  }
  return {
    indices,
    clusterChunks: inChunks(living.map(({ id, age }) => [id, String(age.sequence), age.rank] as const)),
    aliasChunks: inChunks(aliases),
  };
}

function inChunks(entries: readonly unknown[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let start = 0; start < entries.length; start += entriesPerChunk) {
    chunks.push(Buffer.from(JSON.stringify(entries.slice(start, start + entriesPerChunk))));
  }
  return chunks;
}
