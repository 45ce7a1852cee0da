/** The comparisons at the end of SEMANTICS.md, for one data directory. */
import { expect } from 'vitest';
import type { Codec } from '../../src/codec/codec.ts';
import { partitionForKey } from '../../src/core/partitioning.ts';
import type { ConsumedRecord, OutputRecord, TopicPartition } from '../../src/core/records.ts';
import { inputTopics, topics } from '../../src/core/topics.ts';
import { deadLetterCode } from '../../src/pipeline/dead-letter.ts';
import { decodeOrigin, headerNames } from '../../src/pipeline/headers.ts';
import type { Delivery } from '../../src/pipeline/transport.ts';
import { createClusterStage } from '../../src/stages/cluster/cluster-stage.ts';
import type { LogContents } from './log-contents.ts';

/** A result of EXTRACT, its place and its bytes included. */
type Value = { readonly id: string; readonly text: string; readonly parked: boolean };

/** EXTRACT's labels; those of CLUSTER in the same topic have a comparison of their own. */
function extractedLabels(contents: LogContents, codec: Codec): Value[] {
  return (contents.records.get(topics.labels) ?? []).flat().flatMap((record) => {
    const event = codec.decodeAs('LabelEvent', record.value);
    return 'labelstream.v1.Assignment' in event.result ? [] : [{ id: event.id, text: placedTextOf(record), parked: false }];
  });
}

/**
 * EXTRACT's features. The read coordinate of a record that came through `parked` is that of its place there, which no other run shares: of
 * the ids in `parkedIds` it is left out.
 */
function extractedFeatures(contents: LogContents, codec: Codec, parkedIds: ReadonlySet<string>): Value[] {
  const parkedIncarnation = contents.incarnations.get(topics.parked);
  return (contents.records.get(topics.features) ?? []).flat().flatMap((record) => {
    const { schema, event } = codec.decode(record.value);
    if (schema !== 'FeatureEvent') return [];
    const read = { incarnation: '', partition: 0, sequence: 0n, index: event.read.index };
    const value = parkedIds.has(event.id) ? codec.encode('FeatureEvent', { ...event, read }) : record.value;
    return [{ id: event.id, text: placedTextOf({ ...record, value }), parked: event.read.incarnation === parkedIncarnation }];
  });
}

function parkedIdsOf(runs: readonly LogContents[], codec: Codec): Set<string> {
  const features = runs.flatMap((contents) => extractedFeatures(contents, codec, new Set()));
  return new Set(features.filter(({ parked }) => parked).map(({ id }) => id));
}

function deadLettersOf(contents: LogContents, stage: string): string[] {
  return (contents.records.get(topics.deadLetters) ?? [])
    .flat()
    .filter((record) => record.headers.get(headerNames.errorStage)?.toString() === stage)
    .map((record) => [record.headers.get(headerNames.origin), record.headers.get(headerNames.errorCode), record.value].map((part) => part?.toString('base64')).join(' '))
    .sort();
}

export type ExtractCensus = { readonly labels: number; readonly features: number; readonly parkedFeatures: number; readonly repeats: number };

/** By id; as a multiset where every result is to be there once, as a set where some may be repeated. Bytes included. */
export function compareExtract(disturbed: LogContents, undisturbed: LogContents, codec: Codec, delivery: Delivery): ExtractCensus {
  const compared = (values: readonly Value[]): string[] => {
    const all = values.map(({ id, text }) => `${id} ${text}`);
    return delivery === 'exactly-once' ? all : unique(all);
  };
  const labels = extractedLabels(disturbed, codec);
  const expectedLabels = extractedLabels(undisturbed, codec);
  expectSame('labels', compared(labels), compared(expectedLabels));
  const parkedIds = parkedIdsOf([disturbed, undisturbed], codec);
  const features = extractedFeatures(disturbed, codec, parkedIds);
  const expectedFeatures = extractedFeatures(undisturbed, codec, parkedIds);
  expectSame('features', compared(features), compared(expectedFeatures));
  const letters = deadLettersOf(disturbed, 'extract');
  expect(delivery === 'exactly-once' ? letters : unique(letters), 'dead letters').toEqual(deadLettersOf(undisturbed, 'extract'));
  return {
    labels: expectedLabels.length,
    features: expectedFeatures.length,
    parkedFeatures: parkedIds.size,
    repeats: labels.length - expectedLabels.length + features.length - expectedFeatures.length,
  };
}

/**
 * Against the inputs rather than another run: every step that a route has for an input gave a result, or is named by a dead letter.
 *
 * @param stepsOf names, as `route/step`, what is owed for an input; empty for one that no event can be read from.
 */
export function expectEveryStepAnswered(contents: LogContents, codec: Codec, stepsOf: (record: ConsumedRecord) => readonly string[]): void {
  const owed: string[] = [];
  for (const topic of inputTopics) {
    if (topic === topics.parked) continue;
    for (const record of (contents.records.get(topic) ?? []).flat()) {
      const steps = stepsOf(record);
      for (const step of steps.length > 0 ? steps : ['']) owed.push(`${originText(record)} ${step}`);
    }
  }
  const answered: string[] = [];
  for (const record of [...(contents.records.get(topics.labels) ?? []), ...(contents.records.get(topics.features) ?? [])].flat()) {
    const { schema, event } = codec.decode(record.value);
    const isExtracted = schema === 'FeatureEvent' || (schema === 'LabelEvent' && !('labelstream.v1.Assignment' in event.result));
    if (isExtracted) answered.push(`${originText(event.origin)} ${event.routeStep}`);
  }
  for (const { headers } of (contents.records.get(topics.deadLetters) ?? []).flat()) {
    const origin = decodeOrigin(headers.get(headerNames.origin));
    if (origin === undefined || headers.get(headerNames.errorStage)?.toString() !== 'extract') continue;
    const steps = headers.get(headerNames.errorRouteSteps)?.toString() ?? '';
    for (const step of steps.split(',')) answered.push(`${originText(origin)} ${step}`);
  }
  expectSame('answers', unique(answered), owed);
}

/** As multisets; a failure shows some of the difference, not the thousands that are equal. */
function expectSame(what: string, actual: readonly string[], expected: readonly string[]): void {
  const shown = 5;
  expect({ lacking: without(expected, actual).slice(0, shown), inExcess: without(actual, expected).slice(0, shown) }, what).toEqual({ lacking: [], inExcess: [] });
}

function without(values: readonly string[], others: readonly string[]): string[] {
  const remaining = new Map<string, number>();
  for (const other of others) remaining.set(other, (remaining.get(other) ?? 0) + 1);
  return values.filter((value) => {
    const times = remaining.get(value) ?? 0;
    remaining.set(value, times - 1);
    return times <= 0;
  });
}

function originText({ topic, partition, sequence }: TopicPartition & { readonly sequence: bigint }): string {
  return `${topic}-${partition} ${sequence}`;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
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

function placedTextOf(record: OutputRecord): string {
  return `${record.topic}-${record.partition} ${textOf(record)}`;
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
