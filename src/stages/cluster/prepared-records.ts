/**
 * What is found out of the records that are folded next, while those before them are folded: their events, and what is near the vectors that are
 * to be inserted. It is advice: the fold takes what is there, and finds out the rest itself. It sees a state that is not the one that the
 * records will meet, so a vector may have been searched for in vain, and is then given up.
 */
import type { Codec } from '../../codec/codec.ts';
import type { DecodedEvent } from '../../codec/event-names.ts';
import type { Clustering } from '../../clustering/clustering.ts';
import type { ConsumedRecord } from '../../core/records.ts';
import type { FoldPartition } from '../../pipeline/stage.ts';
import { canDecode, turnOfTheLoop } from './between-records.ts';
import { checkFeature } from './fold-feature.ts';
import { searchedVector, type SearchedVector } from './searched-vector.ts';
import type { PartitionState } from './state.ts';

export type PreparedRecord = { readonly event: DecodedEvent; readonly searched: SearchedVector | undefined };

export type PreparedRecords = Required<Pick<FoldPartition, 'prepare' | 'discard'>> & {
  /** What is known of the record, once. Whoever takes it gives up the vector that it does not insert. */
  readonly take: (record: ConsumedRecord) => PreparedRecord | undefined;
};

/** Records that are decoded before the main loop goes on with others. */
const decodedAtATime = 16;

/** @param whenFolded resolves when no record is half folded: then a collection may hold the clustering of one generation, and the family ask for another. */
export function createPreparedRecords(codec: Codec, state: PartitionState, whenFolded: () => Promise<unknown>): PreparedRecords {
  let known = new Map<ConsumedRecord, PreparedRecord>();
  return {
    prepare: async (records, stopping) => {
      const wanted = known;
      await decodeAll(codec, records.filter((record) => !wanted.has(record)), wanted, stopping);
      await whenFolded();
      if (stopping.aborted || known !== wanted) return;
      const searches = [...vectorsByClustering(state, records, wanted)].map(async ([clustering, inserts]) => {
        const prepared = await clustering.prepare(inserts.map(({ vector }) => vector));
        for (const [index, { record, event }] of inserts.entries()) {
          const searched = searchedVector(clustering, prepared[index]);
          // Folded without it, or discarded.
          if (known === wanted && wanted.has(record)) wanted.set(record, { event, searched });
          else searched.giveUp();
        }
      });
      await Promise.all(searches);
    },
    discard: () => {
      for (const { searched } of known.values()) searched?.giveUp();
      known = new Map();
    },
    take: (record) => {
      const found = known.get(record);
      known.delete(record);
      return found;
    },
  };
}

async function decodeAll(codec: Codec, records: readonly ConsumedRecord[], known: Map<ConsumedRecord, PreparedRecord>, stopping: AbortSignal): Promise<void> {
  for (const [index, record] of records.entries()) {
    try {
      if (!(await canDecode(codec, record, stopping))) return;
      known.set(record, { event: codec.decode(record.value), searched: undefined });
    } catch {
      // The fold meets it again in the record's place, and says what becomes of it.
    }
    if (index % decodedAtATime === decodedAtATime - 1) await turnOfTheLoop();
  }
}

type Insert = { readonly record: ConsumedRecord; readonly event: DecodedEvent; readonly vector: Float32Array };

/** Of features that would be inserted as things are, into a collection that is there. */
function vectorsByClustering(state: PartitionState, records: readonly ConsumedRecord[], known: ReadonlyMap<ConsumedRecord, PreparedRecord>): Map<Clustering, Insert[]> {
  const byClustering = new Map<Clustering, Insert[]>();
  for (const record of records) {
    const { event: decoded, searched } = known.get(record) ?? {};
    if (decoded?.schema !== 'FeatureEvent' || searched !== undefined) continue;
    const { event: feature } = decoded;
    const clustering = state.families.get(feature.family)?.collections.get(feature.collection)?.clustering;
    const vector = clustering === undefined ? undefined : vectorToInsert(state, feature, record);
    if (clustering === undefined || vector === undefined) continue;
    const inserts = byClustering.get(clustering);
    if (inserts === undefined) byClustering.set(clustering, [{ record, event: decoded, vector }]);
    else inserts.push({ record, event: decoded, vector });
  }
  return byClustering;
}

function vectorToInsert(state: PartitionState, feature: Parameters<typeof checkFeature>[1], record: ConsumedRecord): Float32Array | undefined {
  try {
    const verdict = checkFeature(state, feature, Math.max(state.timeMs, record.appendTimeMs));
    return verdict.kind === 'insert' ? verdict.image : undefined;
  } catch {
    // What stops the partition does so in the record's place.
    return undefined;
  }
}
