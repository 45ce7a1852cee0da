/**
 * Items of clusters that were made elsewhere, as records of features. What an import reads is a partition of its own, named by what it is of: the same file imported
 * again gives the same coordinates, which are at or below the mark (SEMANTICS.md, rule 12).
 */
import type { Codec } from '../../codec/codec.ts';
import { vectorBytes } from '../../clustering/distance.ts';
import { featureEventId, hashId } from '../../core/ids.ts';
import { partitionForKey } from '../../core/partitioning.ts';
import { noHeaders, type OutputRecord } from '../../core/records.ts';
import { topics } from '../../core/topics.ts';

export type Import = {
  /** Of all imports of one file into one collection under one source the same. */
  readonly incarnation: string;
  readonly family: string;
  readonly collection: string;
  readonly routeStep: string;
  readonly model: string;
  readonly modelVersion: string;
  /** When it was made, by the clock of who makes it: what ages count from. */
  readonly importedAtMs: number;
};

/** There is no such topic: nothing can be read of it again. */
const importTopic = 'import';

export function importIncarnation(parts: { readonly sha256: string; readonly family: string; readonly collection: string; readonly source: string }): string {
  return `import-${hashId('import', parts.sha256, parts.family, parts.collection, parts.source)}`;
}

/** @param row of the item in the file, from 0. They have to be appended in this order. */
export function importedRecord(codec: Pick<Codec, 'encode'>, featuresPartitionCount: number, { incarnation, importedAtMs, ...about }: Import, item: { readonly itemId: string; readonly row: number; readonly vector: Float32Array }): OutputRecord {
  const { itemId, row, vector } = item;
  const place = { incarnation, partition: 0, sequence: BigInt(row) };
  const origin = { ...place, topic: importTopic, appendTime: importedAtMs };
  const value = codec.encode('FeatureEvent', {
    ...about,
    id: featureEventId(origin, about.routeStep, about.family),
    itemId,
    inputId: itemId,
    origin,
    read: { ...place, index: 0 },
    vector: vectorBytes(vector),
    dimensions: vector.length,
    occurredAt: importedAtMs,
    preview: null,
    attributes: {},
    deleted: false,
  });
  return { topic: topics.features, partition: partitionForKey(about.family, featuresPartitionCount), key: Buffer.from(about.family), value, headers: noHeaders };
}
