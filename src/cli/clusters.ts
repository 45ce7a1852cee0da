/** `clusters`: what clusters there are, what is in one, what it is called, and what another eps would make of it. */
import type { Command } from 'commander';
import { counted } from '../core/counted.ts';
import { cliError } from '../core/errors/cli.ts';
import type { Access } from '../open-access.ts';
import type { ClusterView } from '../stages/cluster/cluster-queries.ts';
import { explanationLines, explanationOf } from './cluster-explanation.ts';
import { outputOf, withAccess, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from './context.ts';
import { addClustersEpsCommand } from './eps/eps.ts';
import { withExamples } from './help.ts';
import { addClustersImportCommand } from './import/import.ts';
import { clipped, tableText, type Output } from './output.ts';
import { causeOfRecord } from './record-cause.ts';

type ListOptions = ConfigurationOptions & { readonly json?: boolean; readonly collection?: string };

const sampleLength = 60;
const neighboursInText = 5;
const neighboursInJson = 20;

/** Of a record of the features topic, where it is kept. */
type CauseOf = (partition: number, sequence: bigint) => Promise<string | undefined>;

export function addClustersCommand(program: Command, commandLine: CommandLine): void {
  const clusters = program
    .command('clusters')
    .summary('look at clusters, name them, and choose eps')
    .description('look at clusters, name them, and choose eps: read from the newest snapshot and the log, beside a live `run` or without one');
  withExamples(clusters, 'labelstream clusters list -c examples/news.yaml');
  const listing = withConfigurationOptions(clusters.command('list'))
    .summary('list the clusters, the largest first')
    .description('list the living clusters with samples, the largest first, and items, clusters and noise of each collection below')
    .option('--collection <name>', 'only of this collection')
    .option('--json', 'one JSON object per cluster')
    .action((options: ListOptions) => withView(options, commandLine, (view, output) => list(view, options, output)));
  withExamples(listing, 'labelstream clusters list -c examples/news.yaml', 'labelstream clusters list --collection news-world --json -c examples/news.yaml');
  const showing = withConfigurationOptions(clusters.command('show'))
    .argument('<id...>', 'ids of clusters (one that was merged away finds its survivor), or of items (source/id)')
    .summary('show what clusters hold, or why an item is in one')
    .description(
      'show the members of each cluster named, and of each item named its collection and cluster, and why it is there: how many items are near, the nearest core and others, and the record ' +
        'that last changed its assignment',
    )
    .option('--json', 'one JSON object per cluster, and per item and collection')
    .action((ids: readonly string[], options: ListOptions) => withView(options, commandLine, (view, output, access) => showAll(view, ids, output, access, commandLine.signal)));
  withExamples(showing, 'labelstream clusters show 3f2a9c1e5b7d8042 -c examples/news.yaml', 'labelstream clusters show news/17 news/18 -c examples/news.yaml');
  const labelling = withConfigurationOptions(clusters.command('label'))
    .argument('<id>', 'id of a cluster')
    .argument('[name...]', 'its name')
    .option('--remove', 'take its name away')
    .summary('name a cluster')
    .description('name a cluster. The name stays with it while it grows and merges, and is told in the topic cluster-events')
    .option('--json', 'one JSON object')
    .action((id: string, words: readonly string[], { remove = false, ...options }: ListOptions & { readonly remove?: boolean }) => {
      const name = words.join(' ').trim();
      if (remove && name !== '') throw cliError('LS_CLI_USAGE', 'a name is given, and --remove takes it away: which of the two');
      if (!remove && name === '') throw cliError('LS_CLI_USAGE', 'no name is given; --remove takes the name of the cluster away');
      return withView(options, commandLine, (view, output, access) => label(view, id, name, output, access));
    });
  withExamples(labelling, 'labelstream clusters label 3f2a9c1e5b7d8042 Oil prices -c examples/news.yaml', 'labelstream clusters label 3f2a9c1e5b7d8042 --remove -c examples/news.yaml');
  addClustersEpsCommand(clusters, commandLine);
  addClustersImportCommand(clusters, commandLine);
}

type Use = (view: ClusterView, output: Output, access: Access) => void | Promise<void>;

async function withView(options: ListOptions, commandLine: CommandLine, use: Use): Promise<void> {
  const { clustersOf } = await import('../clusters-of.ts');
  await withAccess(options, commandLine, async (access) => {
    await use(await clustersOf(access, commandLine.signal), outputOf(commandLine, options.json), access);
  });
}

function list(view: ClusterView, { collection }: ListOptions, output: Output): void {
  const collections = view.collections().value;
  if (collection !== undefined && !collections.some(({ collection: name }) => name === collection)) {
    const names = collections.map(({ collection: name }) => name).join(', ') || 'none';
    throw cliError('LS_CLI_NOT_FOUND', `there is no collection "${collection}" with items in it; there are: ${names}`, { collection });
  }
  const { value, heldAt } = view.clusters(collection === undefined ? {} : { collection });
  if (output.json) {
    for (const { clusterId, ...cluster } of value) {
      const held = collections.find(({ family, collection: name }) => family === cluster.family && name === cluster.collection);
      output.object({ id: clusterId, ...cluster, eps: held?.eps ?? null, minPoints: held?.minPoints ?? null, heldAt });
    }
    return;
  }
  const rows = value.map(({ clusterId, collection: name, name: title, size, samples }) => [
    name, clusterId, size, title ?? '', samples.slice(0, 2).map(({ itemId, preview }) => clipped(preview ?? itemId, sampleLength)).join(' | '),
  ]);
  output.lines(tableText(['COLLECTION', 'ID', 'SIZE', 'NAME', 'SAMPLES'], rows, output.columns));
  for (const { collection: name, itemCount, clusterCount, noiseCount, eps, minPoints, isFrozen, pending } of collections) {
    if (collection !== undefined && collection !== name) continue;
    const going = pending === null ? '' : `; next: eps ${pending.eps}, minPoints ${pending.minPoints} ${pending.builtSinceMs === null ? 'asked for' : 'being built'}`;
    output.line(`${name}: ${counted(itemCount, 'item')}, ${counted(clusterCount, 'cluster')}, ${noiseCount} noise; eps ${eps}, minPoints ${minPoints}${isFrozen ? '; frozen at its memory budget' : ''}${going}`);
  }
}

/** All are looked for before any is shown. */
async function showAll(view: ClusterView, ids: readonly string[], output: Output, access: Access, signal: AbortSignal): Promise<void> {
  const missing = ids.find((id) => view.cluster(id).value === undefined && view.item(id).value.length === 0);
  if (missing !== undefined) throw notFound(missing);
  for (const id of ids) {
    if (view.cluster(id).value !== undefined) showCluster(view, id, output);
    else await showItem(view, id, output, (partition, sequence) => causeOfRecord(access, partition, sequence, signal));
  }
}

function showCluster(view: ClusterView, id: string, output: Output): void {
  const { value: cluster, heldAt } = view.cluster(id);
  if (cluster === undefined) return;
  if (output.json) {
    const { clusterId, ...rest } = cluster;
    output.object({ id: clusterId, ...rest, heldAt });
  } else {
    if (cluster.clusterId !== id) output.line(`${id} was merged into ${cluster.clusterId}`);
    output.line(`${cluster.clusterId}${cluster.name === null ? '' : ` "${cluster.name}"`}: ${counted(cluster.size, 'item')}, ${cluster.coreCount} of them core, in ${cluster.collection}`);
    output.lines(tableText(['ITEM', 'ROLE', 'PREVIEW'], cluster.members.map(({ itemId, role, preview }) => [itemId, role, clipped(preview ?? '', sampleLength)]), output.columns));
  }
}

async function showItem(view: ClusterView, id: string, output: Output, causeOf: CauseOf): Promise<void> {
  const { value: places, heldAt } = view.item(id);
  const explanations = await Promise.all(
    view.explain(id, output.json ? neighboursInJson : neighboursInText).value.map(async (explanation) => ({ ...explanation, changedBy: (await causeOf(explanation.partition, explanation.changedAt)) ?? null })),
  );
  if (output.json) {
    for (const place of places) {
      const found = explanations.find(({ family, collection }) => family === place.family && collection === place.collection);
      output.object({ ...place, explanation: found === undefined ? null : explanationOf(found), heldAt });
    }
    return;
  }
  output.lines(tableText(['ITEM', 'COLLECTION', 'ROLE', 'CLUSTER', 'NAME'], places.map((place) => [place.itemId, place.collection, place.role, place.clusterId ?? '', place.clusterName ?? ''])));
  for (const explanation of explanations) for (const line of explanationLines(explanation)) output.line(line);
}

async function label(view: ClusterView, id: string, name: string, output: Output, access: Access): Promise<void> {
  const { value: cluster } = view.cluster(id);
  if (cluster === undefined) throw noCluster(id);
  const { collection, clusterId } = cluster;
  const { nameCluster } = await import('../administration/name-cluster.ts');
  await nameCluster(access, cluster, name);
  if (output.json) output.object({ id: clusterId, collection, name });
  else output.line(name === '' ? `${clusterId} has no name any more` : `${clusterId} is called "${name}"`);
}

/** An item has no name. */
function noCluster(id: string): Error {
  return cliError('LS_CLI_NOT_FOUND', `"${id}" is no living cluster; \`clusters list\` has those that there are`, { id });
}

function notFound(id: string): Error {
  return cliError('LS_CLI_NOT_FOUND', `"${id}" is neither a living cluster nor an item that a collection holds; an item that was deleted or forgotten, that left by its window, or that is not processed yet is in none`, { id });
}
