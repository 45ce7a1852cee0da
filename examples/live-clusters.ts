// What the text examples share: the table item -> cluster, followed as an indexer follows it, and how well it agrees with the classes of the data.
import { createClusterResolver } from '../src/clustering/alias-resolver.ts';
import type { ClusterEvent, LabelEvent } from '../src/core/events.generated.ts';
import { adjustedRandIndex, labelstream } from './example.ts';

/** By itemId: the cluster, or null for noise; undefined where the item is unknown. */
export async function followClusters(example: string): Promise<(itemId: string) => string | null | undefined> {
  const resolver = createClusterResolver();
  for (const event of await valuesOf(example, 'labels')) resolver.applyLabel(event as LabelEvent);
  for (const event of await valuesOf(example, 'cluster-events')) resolver.applyClusterEvent(event as ClusterEvent);
  return resolver.clusterOf;
}

async function valuesOf(example: string, topic: string): Promise<unknown[]> {
  const lines = (await labelstream(example, 'tail', topic, '--from-start', '--until-end', '--json')).split('\n').filter((line) => line !== '');
  // JSON has no long integers: sequences and revisions come as numbers.
  const long = (key: string, value: unknown): unknown => (['sequence', 'number'].includes(key) && typeof value === 'number' ? BigInt(value) : value);
  return lines.map((line) => (JSON.parse(line, long) as { readonly value: unknown }).value);
}

/** Prints the largest clusters with their classes, and a last line of JSON. */
export function printAgreement(items: readonly { readonly className: string; readonly cluster: string | null }[]): void {
  const clusters = new Map<string, Map<string, number>>();
  for (const { className, cluster } of items) {
    const classes = clusters.get(cluster ?? 'noise') ?? new Map<string, number>();
    clusters.set(cluster ?? 'noise', classes.set(className, (classes.get(className) ?? 0) + 1));
  }
  const size = (classes: ReadonlyMap<string, number>): number => [...classes.values()].reduce((total, count) => total + count, 0);
  const noise = size(clusters.get('noise') ?? new Map<string, number>());
  const largest = [...clusters].filter(([id]) => id !== 'noise').sort(([, left], [, right]) => size(right) - size(left));
  for (const [id, classes] of largest.slice(0, 10)) {
    const most = [...classes].sort(([, left], [, right]) => right - left).slice(0, 5);
    console.log(`${id}  ${size(classes)}  ${most.map(([name, count]) => `${name} ${count}`).join(', ')}`);
  }
  const agreement = (among: typeof items): number =>
    adjustedRandIndex(among.map(({ className }) => className), among.map(({ cluster }) => cluster ?? 'noise'));
  console.log(JSON.stringify({
    texts: items.length,
    clusters: largest.length,
    noise,
    noiseShare: noise / items.length,
    adjustedRandIndex: agreement(items),
    adjustedRandIndexWithoutNoise: agreement(items.filter(({ cluster }) => cluster !== null)),
  }));
}
