/** The comparisons at the end of SEMANTICS.md, for one data directory. */
import { expect } from 'vitest';
import type { Codec } from '../../src/codec/codec.ts';
import { partitionForKey } from '../../src/core/partitioning.ts';
import type { ConsumedRecord, OutputRecord } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { deadLetterCode } from '../../src/pipeline/dead-letter.ts';
import { headerNames } from '../../src/pipeline/headers.ts';
import type { Delivery } from '../../src/pipeline/transport.ts';
import { createClusterStage } from '../../src/stages/cluster/cluster-stage.ts';
import type { LogContents } from './log-contents.ts';

type Value = { readonly id: string; readonly bytes: string };

/** EXTRACT's results as `id -> bytes`; ids that occur again must have the same bytes. */
function extracted(contents: LogContents, codec: Codec): Value[] {
  return (contents.records.get(topics.labels) ?? []).flat().flatMap((record) => {
    const event = codec.decodeAs('LabelEvent', record.value);
    return 'labelstream.v1.Assignment' in event.result ? [] : [{ id: event.id, bytes: record.value.toString('base64') }];
  });
}

function deadLettersOf(contents: LogContents, stage: string): string[] {
  return (contents.records.get(topics.deadLetters) ?? [])
    .flat()
    .filter((record) => record.headers.get(headerNames.errorStage)?.toString() === stage)
    .map((record) => [record.headers.get(headerNames.origin), record.headers.get(headerNames.errorCode), record.value].map((part) => part?.toString('base64')).join(' '))
    .sort();
}

export function compareExtract(disturbed: LogContents, undisturbed: LogContents, codec: Codec, delivery: Delivery): { readonly results: number; readonly repeats: number } {
  const expected = extracted(undisturbed, codec);
  const actual = extracted(disturbed, codec);
  const sorted = (values: readonly Value[]): string[] => values.map(({ id, bytes }) => `${id} ${bytes}`).sort();
  const unique = (values: readonly string[]): string[] => [...new Set(values)];
  if (delivery === 'exactly-once') expect(sorted(actual)).toEqual(sorted(expected));
  else expect(unique(sorted(actual))).toEqual(unique(sorted(expected)));
  const letters = deadLettersOf(disturbed, 'extract');
  expect(delivery === 'exactly-once' ? letters : unique(letters)).toEqual(deadLettersOf(undisturbed, 'extract'));
  return { results: expected.length, repeats: actual.length - unique(sorted(actual)).length };
}

/** CLUSTER against a single-threaded fold, record by record, over the features log that was actually written. */
export async function compareCluster(contents: LogContents, codec: Codec, delivery: Delivery): Promise<{ readonly outputs: number; readonly repeats: number }> {
  const partitions = contents.records.get(topics.features) ?? [];
  const partitionCount = partitions.length;
  const stage = createClusterStage({ codec, partitionCounts: { labels: partitionCount, clusterEvents: partitionCount, deadLetters: partitionCount } });
  let outputs = 0;
  let repeats = 0;
  for (const [partition, records] of partitions.entries()) {
    const folding = stage.open({ topic: topics.features, partition, incarnation: contents.incarnations.get(topics.features) ?? '' });
    const expected: OutputRecord[] = [];
    for (const record of records) expected.push(...(await folding.fold([record])).flat());
    outputs += expected.length;
    for (const topic of [topics.labels, topics.clusterEvents, topics.deadLetters]) {
      for (let target = 0; target < partitionCount; target++) {
        const wanted = expected.filter((output) => output.topic === topic && output.partition === target).map(textOf);
        const written = (contents.records.get(topic)?.[target] ?? []).filter((record) => featuresPartitionOf(record, codec, partitionCount) === partition).map(textOf);
        const kept = delivery === 'exactly-once' ? written : [...new Set(written)];
        repeats += written.length - kept.length;
        expect(kept, `${topic}-${target} from features-${partition}`).toEqual(wanted);
      }
    }
  }
  return { outputs, repeats };
}

function textOf({ key, value, headers }: Pick<OutputRecord, 'key' | 'value' | 'headers'>): string {
  return `${key?.toString() ?? ''} ${value.toString('base64')} ${[...headers].map(([name, header]) => `${name}=${header.toString('base64')}`).join(' ')}`;
}

/** The features partition whose fold wrote this record; undefined for what EXTRACT wrote. */
function featuresPartitionOf(record: ConsumedRecord, codec: Codec, partitionCount: number): number | undefined {
  if (deadLetterCode(record) !== undefined) {
    return record.headers.get(headerNames.errorStage)?.toString() === 'cluster' ? Number(record.headers.get(headerNames.readPartition)?.toString()) : undefined;
  }
  const { schema, event } = codec.decode(record.value);
  if (schema === 'ClusterEvent') return partitionForKey(event.family, partitionCount);
  if (schema !== 'LabelEvent' || !('labelstream.v1.Assignment' in event.result)) return undefined;
  return partitionForKey(event.result['labelstream.v1.Assignment'].family, partitionCount);
}
