/** Control records as commands append them to the features topic. Pure: who appends them, and when, is the caller's. */
import type { Codec } from '../../codec/codec.ts';
import type { ControlEvent, Define, InputEnd, LabelCluster, SetParameters } from '../../core/events.generated.ts';
import { hashId, itemHashOf } from '../../core/ids.ts';
import { partitionForKey } from '../../core/partitioning.ts';
import { noHeaders, type OutputRecord } from '../../core/records.ts';
import { topics } from '../../core/topics.ts';

type Encode = Pick<Codec, 'encode'>;

function controlRecord(codec: Encode, partition: number, control: Omit<ControlEvent, 'id' | 'term'>, idParts: readonly (string | number | bigint)[]): OutputRecord {
  const id = hashId('control', partition, control.family ?? '', ...idParts);
  const value = codec.encode('ControlEvent', { id, term: 0n, ...control });
  return { topic: topics.features, partition, key: control.family === null ? null : Buffer.from(control.family), value, headers: noHeaders };
}

/** To the partition of its family. `featuresPartitionCount` is that of the features topic. */
export function defineRecord(codec: Encode, featuresPartitionCount: number, family: string, definition: Define): OutputRecord {
  const action = { 'labelstream.v1.Define': definition };
  return controlRecord(codec, partitionForKey(family, featuresPartitionCount), { family, action }, ['define', definition.version]);
}

export function labelRecord(codec: Encode, featuresPartitionCount: number, family: string, label: LabelCluster): OutputRecord {
  const action = { 'labelstream.v1.LabelCluster': label };
  const idParts = ['label-cluster', label.collection, label.clusterId, label.name];
  return controlRecord(codec, partitionForKey(family, featuresPartitionCount), { family, action }, idParts);
}

export function parametersRecord(codec: Encode, featuresPartitionCount: number, family: string, parameters: SetParameters): OutputRecord {
  const action = { 'labelstream.v1.SetParameters': parameters };
  const idParts = ['set-parameters', parameters.eps ?? '', parameters.minPoints ?? ''];
  return controlRecord(codec, partitionForKey(family, featuresPartitionCount), { family, action }, idParts);
}

/**
 * One for every features partition, since nobody but the folds knows where an item is.
 * @param through the ends of all input topics' partitions, `parked` included, read when the forget is issued.
 */
export function forgetRecords(
  codec: Encode,
  featuresPartitionCount: number,
  itemIds: readonly string[],
  through: readonly InputEnd[],
): readonly OutputRecord[] {
  const itemHashes = [...new Set(itemIds.map(itemHashOf))].sort();
  const action = { 'labelstream.v1.Forget': { itemHashes, through } };
  const idParts = ['forget', ...itemHashes, ...through.flatMap((end) => [end.incarnation, end.partition, end.endSequence])];
  return Array.from({ length: featuresPartitionCount }, (_, partition) => controlRecord(codec, partition, { family: null, action }, idParts));
}
