/** What `clusters import` does: look at everything, append, then fold as any process would, and name what the items came to. */
import { clustersOf, appendControlsTo } from '../../clusters-of.ts';
import { counted } from '../../core/counted.ts';
import { cliError } from '../../core/errors/cli.ts';
import { clusterError } from '../../core/errors/cluster.ts';
import { identifierMistake, itemIdOf } from '../../core/ids.ts';
import { recordBytes } from '../../core/records.ts';
import { routeStepName } from '../../core/routes.ts';
import type { Access } from '../../open-access.ts';
import type { ClusterView, FamilyDefinition } from '../../stages/cluster/cluster-queries.ts';
import { labelRecord } from '../../stages/cluster/control-records.ts';
import { importedRecord, importIncarnation, type Import } from '../../stages/cluster/imported-features.ts';
import { outputOf, withAccess, type CommandLine, type ConfigurationOptions } from '../context.ts';
import { tableText, type Output } from '../output.ts';
import { openClusterFile, type ClusterFile } from './cluster-file.ts';
import { importedClusters, parameterDifferences, requireModel, requireVectors, type ImportedCluster } from './compare-import.ts';

export type ImportOptions = ConfigurationOptions & {
  readonly collection: string;
  readonly family?: string;
  readonly source: string;
  readonly allowOtherParameters?: boolean;
  readonly json?: boolean;
};

const batchRecordsMax = 500;
const batchBytesMax = 1024 * 1024;

type Importing = { readonly access: Access; readonly file: ClusterFile; readonly itemIds: readonly string[]; readonly options: ImportOptions; readonly output: Output; readonly signal: AbortSignal };

export async function importClusters(path: string, options: ImportOptions, commandLine: CommandLine): Promise<void> {
  const file = await openClusterFile(path, commandLine.signal);
  try {
    const itemIds = file.items.map((id) => checkedId(path, options.source, id));
    const output = outputOf(commandLine, options.json);
    await withAccess(options, commandLine, (access) => importInto({ access, file, itemIds, options, output, signal: commandLine.signal }));
  } finally {
    await file.close();
  }
}

function checkedId(path: string, source: string, id: string): string {
  const mistake = identifierMistake({ source, id });
  if (mistake !== undefined) throw cliError('LS_CLI_IMPORT_FILE', `${path}: the item ${JSON.stringify(id.slice(0, 100))} of ${source}: ${mistake.message}`, { path });
  return itemIdOf({ source, id });
}

async function importInto(importing: Importing): Promise<void> {
  const { access, file, itemIds, options: { collection, source }, output, signal } = importing;
  const before = await clustersOf(access, signal);
  const definition = requireDefinition(before, importing);
  requireModel(file, definition);
  tellDifferences(parameterDifferences(file, definition), importing);
  await requireVectors(file, definition, signal);
  const { family, model, modelVersion } = definition;
  const incarnation = importIncarnation({ sha256: file.sha256, family, collection, source });
  const isThere = (itemId: string): boolean => before.item(itemId).value.some((place) => place.family === family && place.origin.incarnation === incarnation);
  await access.codec.prepareEncode();
  if (itemIds.every(isThere)) output.note('every item of this file is there by an import of it: none is appended again');
  else await appendItems({ incarnation, family, collection, routeStep: routeStepOf(access, family), model, modelVersion, importedAtMs: access.context.clock.nowMs() }, importing);
  const after = await clustersOf(access, signal);
  const found = importedClusters(after, file, itemIds, { family, collection });
  await nameClusters(found, definition, importing);
}

/** The fold would refuse, or stop at, what the log does not declare. */
function requireDefinition(view: ClusterView, { options: { collection, family } }: Importing): FamilyDefinition {
  const [definition, ...others] = view.definitionsOf(collection, family).value;
  if (definition === undefined) {
    throw clusterError('LS_CLUSTER_FAMILY_UNDECLARED', `no definition in the log declares ${family ?? collection}: \`labelstream run\` puts those of its configuration there when it starts; of a template none of whose items has opened ${collection}, name it as --family`, { collection });
  }
  if (others.length > 0) throw cliError('LS_CLI_USAGE', `several families have a collection ${collection}: ${[definition, ...others].map((each) => each.family).join(', ')}; name one as --family`);
  if (!/^[a-z0-9._-]{1,100}$/.test(collection)) throw cliError('LS_CLI_USAGE', `${collection} is no name of a collection, but a template: name the collection, and this as --family`);
  return definition;
}

function tellDifferences(differences: readonly string[], { options: { allowOtherParameters = false, collection }, output }: Importing): void {
  if (differences.length === 0) return;
  if (!allowOtherParameters) throw cliError('LS_CLI_IMPORT_PARAMETERS', `${collection}: ${differences.join('; ')}`, { collection });
  output.note(`the clusters will be other ones than in the file: ${differences.join('; ')}`);
}

/** Of the step that feeds the family, as if its input had come by it. */
function routeStepOf({ configuration: { routes } }: Access, family: string): string {
  const names = routes.flatMap((route) => route.steps.filter((step) => step.collection?.text === family).map((step) => routeStepName(route, step)));
  return names[0] ?? 'import';
}

/** In the order of the file, so that the mark is never above what is still to come. */
async function appendItems(about: Import, { access, file, itemIds, output, signal }: Importing): Promise<void> {
  type Item = Parameters<typeof importedRecord>[3];
  let batch: Item[] = [];
  let [bytes, row, appended] = [0, 0, 0];
  const flush = async (): Promise<void> => {
    const items = batch;
    if (items.length > 0) await appendControlsTo(access, (partitionCount) => items.map((item) => importedRecord(access.codec, partitionCount, about, item)));
    appended += items.length;
    [batch, bytes] = [[], 0];
  };
  try {
    for await (const vector of file.vectors()) {
      signal.throwIfAborted();
      const item = { itemId: itemIds[row] ?? '', row, vector };
      // Vectors are all as long, so the longest id makes the largest record.
      if (row === 0) requireRoom(recordBytes(importedRecord(access.codec, 1, about, { ...item, itemId: longestOf(itemIds) })), access);
      batch.push(item);
      row += 1;
      bytes += vector.byteLength;
      if (batch.length >= batchRecordsMax || bytes >= batchBytesMax) await flush();
    }
    await flush();
  } catch (error) {
    output.note(`${appended} of ${counted(itemIds.length, 'item')} were appended before the failure: import the file again, what is there counts once`);
    throw error;
  }
}

function longestOf(itemIds: readonly string[]): string {
  let [longest, bytesMax] = ['', 0];
  for (const itemId of itemIds) {
    const bytes = Buffer.byteLength(itemId);
    if (bytes > bytesMax) [longest, bytesMax] = [itemId, bytes];
  }
  return longest;
}

function requireRoom(bytes: number, { configuration: { transport } }: Access): void {
  if (bytes > transport.recordBytesMax) throw cliError('LS_CLI_IMPORT_FILE', `an item has ${bytes} bytes; at most ${transport.recordBytesMax} are allowed (transport.recordBytesMax)`);
}

/** A name that somebody gave stays; of several imported clusters in one the largest names it. */
async function nameClusters(found: readonly ImportedCluster[], { family }: FamilyDefinition, importing: Importing): Promise<void> {
  const { access, file, options: { collection } } = importing;
  const namers = new Map<string, ImportedCluster>();
  for (const each of found) {
    if (each.clusterId !== null && each.agreeing > (namers.get(each.clusterId)?.agreeing ?? 0)) namers.set(each.clusterId, each);
  }
  const nameOf = ({ cluster }: ImportedCluster): string => file.labels.get(cluster) ?? String(cluster);
  const named = [...namers].filter(([, { name }]) => name === null);
  if (named.length > 0) {
    await appendControlsTo(access, (partitionCount) => named.map(([clusterId, each]) => labelRecord(access.codec, partitionCount, family, { collection, clusterId, name: nameOf(each) })));
  }
  report(
    found.map((each) => {
      const namer = each.clusterId === null ? undefined : namers.get(each.clusterId);
      const name = each.name ?? (namer === undefined ? null : nameOf(namer));
      return { ...each, name, note: noteOf(each, namer, each.cluster === -1 ? null : nameOf(each), name) };
    }),
    importing,
  );
}

function noteOf({ cluster, clusterId, others, missing, items, agreeing }: ImportedCluster, namer: ImportedCluster | undefined, wanted: string | null, name: string | null): string {
  const notes = [
    missing > 0 ? `${counted(missing, 'item')} not in the collection` : '',
    clusterId !== null && namer?.cluster !== cluster ? `in one cluster with ${namer?.cluster ?? ''} of the file` : '',
    clusterId !== null && namer?.cluster === cluster && name !== wanted ? 'it keeps its name' : '',
    clusterId === null && cluster !== -1 && missing < items ? 'noise here' : '',
    cluster === -1 && agreeing + missing < items ? `${items - agreeing - missing} in clusters here` : '',
    others > 0 ? `with ${counted(others, 'other item')}` : '',
  ];
  return notes.filter((note) => note !== '').join(', ');
}

type ReportedCluster = ImportedCluster & { readonly note: string };

function report(clusters: readonly ReportedCluster[], { itemIds, options: { collection }, output }: Importing): void {
  if (output.json) {
    for (const each of clusters) output.object({ collection, ...each });
    return;
  }
  const rows = clusters.map(({ cluster, items, clusterId, name, agreeing, note }) => [cluster === -1 ? 'noise' : cluster, items, clusterId ?? '', name ?? '', agreeing, note]);
  output.lines(tableText(['IN FILE', 'ITEMS', 'CLUSTER', 'NAME', 'AGREEING', 'NOTE'], rows, output.columns));
  const agreeing = clusters.reduce((sum, each) => sum + each.agreeing, 0);
  output.line(`${counted(itemIds.length, 'item')} in ${collection}, ${agreeing} of them as in the file`);
}
