// `npm run example:news`: AG News through the bundled encoder into live clusters, compared with the four classes of the data.
import { join } from 'node:path';
import { createClusterResolver } from '../src/clustering/alias-resolver.ts';
import type { ClusterEvent, LabelEvent } from '../src/core/events.generated.ts';
import { adjustedRandIndex, csvRows, labelstream, samples } from './example.ts';

const file = join(samples, 'text/ag_news_test.csv');
const classNames: Readonly<Record<string, string>> = { 1: 'world', 2: 'sports', 3: 'business', 4: 'science and technology' };

await labelstream('news', 'publish', 'text', file, '--no-header', '--text-column', '2', '--text-column', '3', '--source', 'news');
await labelstream('news', 'run', '--until-idle');

// Follows both topics as an indexer would, instead of asking the program for its clusters.
const resolver = createClusterResolver();
for (const event of await valuesOf('labels')) resolver.applyLabel(event as LabelEvent);
for (const event of await valuesOf('cluster-events')) resolver.applyClusterEvent(event as ClusterEvent);

async function valuesOf(topic: string): Promise<unknown[]> {
  const lines = (await labelstream('news', 'tail', topic, '--from-start', '--until-end', '--json')).split('\n').filter((line) => line !== '');
  // JSON has no long integers: sequences and revisions come as numbers.
  const long = (key: string, value: unknown): unknown => (['sequence', 'number'].includes(key) && typeof value === 'number' ? BigInt(value) : value);
  return lines.map((line) => (JSON.parse(line, long) as { readonly value: unknown }).value);
}

const truth: string[] = [];
const found: string[] = [];
const clusters = new Map<string, Map<string, number>>();
for (const { line, fields } of await csvRows(file, false)) {
  const cluster = resolver.clusterOf(`news/ag_news_test.csv:${line}`);
  if (cluster === undefined) continue;
  const name = classNames[fields['0'] ?? ''] ?? 'unknown';
  truth.push(name);
  found.push(cluster ?? 'noise');
  const classes = clusters.get(cluster ?? 'noise') ?? new Map<string, number>();
  clusters.set(cluster ?? 'noise', classes.set(name, (classes.get(name) ?? 0) + 1));
}
const size = (classes: ReadonlyMap<string, number>): number => [...classes.values()].reduce((total, count) => total + count, 0);
const noise = size(clusters.get('noise') ?? new Map());
const largest = [...clusters].filter(([id]) => id !== 'noise').sort(([, left], [, right]) => size(right) - size(left));
const clustered = found.flatMap((id, index) => (id === 'noise' ? [] : [index]));
const within = adjustedRandIndex(clustered.map((index) => truth[index] ?? ''), clustered.map((index) => found[index] ?? ''));

for (const [id, classes] of largest.slice(0, 10)) {
  console.log(`${id}  ${size(classes)}  ${[...classes].sort(([, left], [, right]) => right - left).map(([name, count]) => `${name} ${count}`).join(', ')}`);
}
console.log(JSON.stringify({
  texts: truth.length,
  clusters: largest.length,
  noise,
  noiseShare: noise / truth.length,
  adjustedRandIndex: adjustedRandIndex(truth, found),
  adjustedRandIndexWithoutNoise: within,
}));
