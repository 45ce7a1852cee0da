/**
 * The state of a clustering as bytes, canonical: items by itemId, clusters by age, aliases by id. Distances are not needed to
 * read it, since the neighbours and the anchors are in it.
 *
 *   chunk 0         header, JSON: parameters, identity, sequence, how many chunks of clusters and aliases follow, and how many items
 *   clusters ...    JSON: [[id, founding sequence, rank], ...]
 *   aliases ...     JSON: [[from, to, sequence], ...]
 *   items ...       binary (snapshot-items.ts)
 *
 * It is made lazily, so that a writer can yield between chunks; the clustering must not be changed meanwhile.
 */
import { addEdge } from './adjacency.ts';
import { clusteringError } from '../../../src/core/errors/clustering.ts';
import type { ClusteringIdentity, ClusteringParameters } from '../../../src/clustering/clustering.ts';
import { createEngineState, livingByAge, type EngineState } from './engine-state.ts';
import type { Component, Item } from './item.ts';
import { decodeItems, encodeItems, orderItems } from './snapshot-items.ts';

const format = 2;
const entriesPerChunk = 4096;

type Header = {
  readonly format: number;
  readonly parameters: ClusteringParameters;
  readonly identity: ClusteringIdentity;
  readonly sequence: string | null;
  readonly dimensions: number;
  readonly chunks: { readonly clusters: number; readonly aliases: number };
  readonly itemCount: number;
};

export function* snapshotChunks(state: EngineState): Generator<Buffer> {
  const clusters = livingByAge(state).map(([id, { age }]) => [id, String(age.sequence), age.rank] as const);
  const aliases = Array.from(state.told.aliases(), ({ from, to, sequence }) => [from, to, String(sequence)] as const);
  aliases.sort(([left], [right]) => (left < right ? -1 : 1));
  const clusterChunks = inChunks(clusters);
  const aliasChunks = inChunks(aliases);
  const [first] = state.items.values();
  const { metric, eps, minPoints } = state.parameters;
  const { collection, epoch, generation } = state.identity;
  const header: Header = {
    format,
    parameters: { metric, eps, minPoints },
    identity: { collection, epoch, generation },
    sequence: state.sequence === undefined ? null : String(state.sequence),
    dimensions: first?.vector.length ?? 0,
    chunks: { clusters: clusterChunks.length, aliases: aliasChunks.length },
    itemCount: state.items.size,
  };
  yield Buffer.from(JSON.stringify(header));
  for (const chunk of [...clusterChunks, ...aliasChunks]) yield Buffer.from(JSON.stringify(chunk));
  const names = [...clusters, ...aliases].map(([id]) => id);
  yield* encodeItems(orderItems(state.graph, state.items.values()), new Map(names.map((name, index) => [name, index])));
}

export async function restoreState(next: () => Promise<Buffer | undefined>): Promise<EngineState> {
  const take = async (): Promise<Buffer> => {
    const chunk = await next();
    if (chunk === undefined) throw clusteringError('LS_CLUSTERING_SNAPSHOT_INVALID', 'the snapshot ends before its last chunk');
    return chunk;
  };
  const header = parseHeader(await take());
  try {
    return await restoreFollowing(header, take);
  } catch (error) {
    // Reading past the end of a buffer, or into an item that is not there: the bytes are not what the header says.
    if (error instanceof RangeError || error instanceof SyntaxError || error instanceof TypeError) {
      throw clusteringError('LS_CLUSTERING_SNAPSHOT_INVALID', `the snapshot cannot be read: ${error.message}`, {}, { cause: error });
    }
    throw error;
  }
}

async function restoreFollowing(header: Header, take: () => Promise<Buffer>): Promise<EngineState> {
  const state = createEngineState(header.parameters, header.identity);
  state.sequence = header.sequence === null ? undefined : BigInt(header.sequence);
  const names: string[] = [];
  const components: Component[] = [];
  for (let index = 0; index < header.chunks.clusters; index++) {
    for (const [clusterId, sequence, rank] of JSON.parse((await take()).toString()) as [string, string, number][]) {
      const component: Component = { cores: new Set(), borderCount: 0, clusterId };
      state.living.set(clusterId, { component, age: { sequence: BigInt(sequence), rank } });
      names.push(clusterId);
      components.push(component);
    }
  }
  for (let index = 0; index < header.chunks.aliases; index++) {
    for (const [from, to, sequence] of JSON.parse((await take()).toString()) as [string, string, string][]) {
      state.told.retire({ from, to, sequence: BigInt(sequence) });
      names.push(from);
    }
  }
  await restoreItems(state, header, take, { components, names });
  return state;
}

async function restoreItems(
  state: EngineState,
  { itemCount, dimensions }: Header,
  take: () => Promise<Buffer>,
  named: { readonly components: readonly Component[]; readonly names: readonly string[] },
): Promise<void> {
  const items: Item[] = [];
  const borders: { readonly item: Item; readonly anchor: number }[] = [];
  while (items.length < itemCount) {
    for (const { item, links } of decodeItems(await take(), state.graph, dimensions)) {
      if (links.role === 'core') {
        item.component = at(named.components, links.place);
        item.component.cores.add(item);
      } else if (links.role === 'border') borders.push({ item, anchor: links.place });
      for (const rank of links.earlierNeighbours) addEdge(at(items, rank), item);
      state.told.tell(item, links.toldName === undefined ? null : at(named.names, links.toldName), links.toldSequence);
      state.items.set(item.itemId, item);
      items.push(item);
    }
  }
  if (state.items.size !== itemCount) throw new RangeError(`it holds ${state.items.size} items instead of ${itemCount}`);
  for (const { item, anchor } of borders) {
    item.anchor = at(items, anchor);
    item.anchor.anchored.add(item);
    if (item.anchor.component !== undefined) item.anchor.component.borderCount++;
  }
}

function at<Entry>(entries: readonly Entry[], index: number): Entry {
  const entry = entries[index];
  if (entry === undefined) throw new RangeError(`it refers to entry ${index} of ${entries.length}`);
  return entry;
}

function parseHeader(chunk: Buffer): Header {
  let header: unknown;
  try {
    header = JSON.parse(chunk.toString());
  } catch (error) {
    throw clusteringError('LS_CLUSTERING_SNAPSHOT_INVALID', 'the first chunk is not the header of a snapshot', {}, { cause: error });
  }
  if (typeof header !== 'object' || header === null || !('format' in header) || header.format !== format) {
    throw clusteringError('LS_CLUSTERING_SNAPSHOT_INVALID', `the first chunk is not the header of a snapshot of format ${format}`);
  }
  return header as Header;
}

function inChunks<Entry>(entries: readonly Entry[]): Entry[][] {
  const chunks: Entry[][] = [];
  for (let start = 0; start < entries.length; start += entriesPerChunk) chunks.push(entries.slice(start, start + entriesPerChunk));
  return chunks;
}
