/** Reads the chunks of a snapshot, of format 4 or 2, as they come. */
import { clusteringError } from '../../core/errors/clustering.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import type { NeighbourSearch, OpenSearch } from '../neighbour-search.ts';
import { canonicalFormat } from './canonical-state.ts';
import type { EngineState } from './engine-state.ts';
import { restoreCanonical } from './restore-canonical.ts';
import { restoreColumns } from './restore-columns.ts';
import { columnFormat, requireCounts, type ColumnHeader, type SnapshotHeader } from './snapshot-format.ts';

export async function restoreState(next: () => Promise<Buffer | undefined>, openSearch: OpenSearch): Promise<EngineState> {
  const take = async (): Promise<Buffer> => {
    const chunk = await next();
    if (chunk === undefined) throw clusteringError('LS_CLUSTERING_SNAPSHOT_INVALID', 'the snapshot ends before its last chunk');
    return chunk;
  };
  const header = parseHeader(await take());
  let opened: NeighbourSearch | undefined;
  let isRead = false;
  const open: OpenSearch = (dimensions, parameters) => {
    const search = openSearch(dimensions, parameters);
    if (!isRead) opened = search;
    return search;
  };
  try {
    const { itemCount, dimensions, chunks: { clusters, aliases } } = header;
    requireCounts({ itemCount, dimensions, clusters, aliases });
    const state = header.format === columnFormat ? await restoreColumns(header as ColumnHeader, take, open) : await restoreCanonical(header, take, open);
    isRead = true;
    opened?.loaded();
    opened = undefined;
    return state;
  } catch (error) {
    // Nobody else knows of it. What went wrong before is what is told.
    await opened?.close().catch(() => undefined);
    // Reading past the end of a buffer, into an item that is not there, or parameters that cannot be: the bytes are not what the header says.
    const isDamage = error instanceof RangeError || error instanceof SyntaxError || error instanceof TypeError;
    if (isDamage || (error instanceof LabelstreamError && error.code === 'LS_CLUSTERING_PARAMETERS_INVALID')) {
      throw clusteringError('LS_CLUSTERING_SNAPSHOT_INVALID', `the snapshot cannot be read: ${error.message}`, {}, { cause: error });
    }
    throw error;
  }
}

const readable: readonly unknown[] = [columnFormat, canonicalFormat];

function parseHeader(chunk: Buffer): SnapshotHeader {
  let header: unknown;
  try {
    header = JSON.parse(chunk.toString());
  } catch (error) {
    throw clusteringError('LS_CLUSTERING_SNAPSHOT_INVALID', 'the first chunk is not the header of a snapshot', {}, { cause: error });
  }
  if (typeof header !== 'object' || header === null || !('format' in header) || !readable.includes(header.format)) {
    throw clusteringError('LS_CLUSTERING_SNAPSHOT_INVALID', `the first chunk is not the header of a snapshot of format ${readable.join(' or ')}`);
  }
  return header as object as SnapshotHeader;
}
