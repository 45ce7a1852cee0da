/** `clusters`: what clusters there are, what is in one, and what it is called. */
import type { Command } from 'commander';
import { appendControlsTo, clustersOf, type Access } from '../compose.ts';
import { counted } from '../core/counted.ts';
import { cliError } from '../core/errors/cli.ts';
import { labelRecord } from '../stages/cluster/control-records.ts';
import type { ClusterView } from '../stages/cluster/view.ts';
import { outputOf, withAccess, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from './context.ts';
import { withExamples } from './help.ts';
import { clipped, tableText, type Output } from './output.ts';

type ListOptions = ConfigurationOptions & { readonly json?: boolean; readonly collection?: string };

const sampleLength = 60;

export function addClustersCommand(program: Command, commandLine: CommandLine): void {
  const clusters = program
    .command('clusters')
    .summary('look at clusters and name them')
    .description('look at clusters and name them: read from the newest snapshot and the log, beside a live `run` or without one');
  withExamples(clusters, 'labelstream clusters list -c examples/news.yaml');
  const listing = withConfigurationOptions(clusters.command('list'))
    .summary('list the clusters, the largest first')
    .description('list the living clusters with samples, the largest first; standard error counts items and noise of each collection')
    .option('--collection <name>', 'only of this collection')
    .option('--json', 'one JSON object per cluster')
    .action((options: ListOptions) => withView(options, commandLine, (view, output) => list(view, options, output)));
  withExamples(listing, 'labelstream clusters list -c examples/news.yaml', 'labelstream clusters list --collection news-world --json -c examples/news.yaml');
  const showing = withConfigurationOptions(clusters.command('show'))
    .argument('<id...>', 'ids of clusters (one that was merged away finds its survivor), or of items (source/id)')
    .summary('show the members of clusters, or where items are')
    .description('show the members of each cluster named, and the collection and cluster of each item named')
    .option('--json', 'one JSON object per cluster, and per item and collection')
    .action((ids: readonly string[], options: ListOptions) => withView(options, commandLine, (view, output) => showAll(view, ids, output)));
  withExamples(showing, 'labelstream clusters show 3f2a9c1e5b7d8042 -c examples/news.yaml', 'labelstream clusters show news/17 news/18 -c examples/news.yaml');
  const labelling = withConfigurationOptions(clusters.command('label'))
    .argument('<id>', 'id of a cluster')
    .argument('[name...]', 'its name; none takes the name away')
    .summary('name a cluster')
    .description('name a cluster. The name stays with it while it grows and merges, and is told in the topic cluster-events')
    .option('--json', 'one JSON object')
    .action((id: string, name: readonly string[], options: ListOptions) =>
      withView(options, commandLine, (view, output, access) => label(view, id, name.join(' '), output, access)),
    );
  withExamples(labelling, 'labelstream clusters label 3f2a9c1e5b7d8042 Oil prices -c examples/news.yaml');
}

type Use = (view: ClusterView, output: Output, access: Access) => void | Promise<void>;

async function withView(options: ListOptions, commandLine: CommandLine, use: Use): Promise<void> {
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
    for (const { clusterId, ...cluster } of value) output.object({ id: clusterId, ...cluster, heldAt });
    return;
  }
  const rows = value.map(({ clusterId, collection: name, name: title, size, samples }) => [
    name, clusterId, size, title ?? '', samples.slice(0, 2).map(({ itemId, preview }) => clipped(preview ?? itemId, sampleLength)).join(' | '),
  ]);
  output.lines(tableText(['COLLECTION', 'ID', 'SIZE', 'NAME', 'SAMPLES'], rows, output.columns));
  for (const { collection: name, itemCount, clusterCount, noiseCount } of collections) {
    if (collection === undefined || collection === name) output.note(`${name}: ${counted(itemCount, 'item')}, ${counted(clusterCount, 'cluster')}, ${noiseCount} noise`);
  }
}

/** All are looked for before any is shown. */
function showAll(view: ClusterView, ids: readonly string[], output: Output): void {
  const missing = ids.find((id) => view.cluster(id).value === undefined && view.item(id).value.length === 0);
  if (missing !== undefined) throw notFound(missing);
  for (const id of ids) show(view, id, output);
}

function show(view: ClusterView, id: string, output: Output): void {
  const { value: cluster, heldAt } = view.cluster(id);
  if (cluster !== undefined) {
    if (output.json) {
      const { clusterId, ...rest } = cluster;
      output.object({ id: clusterId, ...rest, heldAt });
      return;
    }
    if (cluster.clusterId !== id) output.line(`${id} was merged into ${cluster.clusterId}`);
    output.line(`${cluster.clusterId}${cluster.name === null ? '' : ` "${cluster.name}"`}: ${counted(cluster.size, 'item')}, ${cluster.coreCount} of them core, in ${cluster.collection}`);
    output.lines(tableText(['ITEM', 'ROLE', 'PREVIEW'], cluster.members.map(({ itemId, role, preview }) => [itemId, role, clipped(preview ?? '', sampleLength)]), output.columns));
    return;
  }
  const { value: places } = view.item(id);
  if (output.json) for (const place of places) output.object({ ...place, heldAt });
  else output.lines(tableText(['ITEM', 'COLLECTION', 'ROLE', 'CLUSTER', 'NAME'], places.map((place) => [place.itemId, place.collection, place.role, place.clusterId ?? '', place.clusterName ?? ''])));
}

async function label(view: ClusterView, id: string, name: string, output: Output, access: Access): Promise<void> {
  const { value: cluster } = view.cluster(id);
  if (cluster === undefined) throw notFound(id);
  const { family, collection, clusterId } = cluster;
  await access.codec.prepareEncode();
  await appendControlsTo(access, (partitionCount) => [labelRecord(access.codec, partitionCount, family, { collection, clusterId, name })]);
  if (output.json) output.object({ id: clusterId, collection, name });
  else output.line(name === '' ? `${clusterId} has no name any more` : `${clusterId} is called "${name}"`);
}

function notFound(id: string): Error {
  return cliError('LS_CLI_NOT_FOUND', `"${id}" is neither a living cluster nor an item that a collection holds; an item that was deleted, forgotten or not processed yet is in none`, { id });
}
