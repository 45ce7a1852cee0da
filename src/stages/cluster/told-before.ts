/** What the topics still hold of a history whose log is lost: which collections consumers were told of, under which epochs, and what features there are. */
import type { Codec } from '../../codec/codec.ts';
import type { DecodedEvent } from '../../codec/event-names.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import type { ConsumedRecord, TopicPartition } from '../../core/records.ts';
import { topics } from '../../core/topics.ts';
import { readRange } from '../../pipeline/read-range.ts';
import type { Transport } from '../../pipeline/transport.ts';
import type { DeclaredModel } from './state.ts';

export type TopicReader = {
  readonly transport: Pick<Transport, 'describeTopic' | 'bounds' | 'read'>;
  readonly codec: Pick<Codec, 'decode' | 'prepareDecode'>;
};

export type ToldFamily = { epoch: number; readonly collections: Set<string> };

/** By family. Reads `cluster-events` and `labels` from end to end: a collection of noise alone is in no cluster event. */
export async function readTold(reader: TopicReader, signal: AbortSignal): Promise<ReadonlyMap<string, ToldFamily>> {
  const told = new Map<string, ToldFamily>();
  const note = (family: string, collection: string, epoch: number): void => {
    const known = told.get(family) ?? { epoch, collections: new Set() };
    known.epoch = Math.max(known.epoch, epoch);
    known.collections.add(collection);
    told.set(family, known);
  };
  for (const topic of [topics.clusterEvents, topics.labels]) {
    const { partitionCount } = await reader.transport.describeTopic(topic);
    for (let partition = 0; partition < partitionCount; partition++) {
      for await (const { schema, event } of eventsIn(reader, { topic, partition }, signal)) {
        if (schema === 'ClusterEvent') note(event.family, event.collection, event.epoch);
        if (schema !== 'LabelEvent' || !('labelstream.v1.Assignment' in event.result)) continue;
        const { family, collection } = event.result['labelstream.v1.Assignment'];
        note(family, collection, event.revision.epoch);
      }
    }
  }
  return told;
}

export type ModelUse = DeclaredModel & { readonly family: string };

/** Each once. */
export async function readModelsUsed(reader: TopicReader, partition: number, signal: AbortSignal): Promise<readonly ModelUse[]> {
  const used = new Map<string, ModelUse>();
  for await (const { schema, event } of eventsIn(reader, { topic: topics.features, partition }, signal)) {
    if (schema !== 'FeatureEvent') continue;
    const { family, model, modelVersion } = event;
    used.set(JSON.stringify([family, model, modelVersion]), { family, model, modelVersion });
  }
  return [...used.values()];
}

async function* eventsIn(reader: TopicReader, location: TopicPartition, signal: AbortSignal): AsyncGenerator<DecodedEvent> {
  const { start, end } = await reader.transport.bounds(location);
  for await (const records of readRange(reader.transport, location, { from: start, until: end }, signal)) {
    for (const record of records) {
      const decoded = await decode(reader, record, signal);
      if (decoded !== undefined) yield decoded;
    }
  }
}

/** Undefined where the record holds no event: it tells nobody anything. */
async function decode({ codec }: TopicReader, { value }: ConsumedRecord, signal: AbortSignal): Promise<DecodedEvent | undefined> {
  try {
    for (let wait = codec.prepareDecode(value, { signal }); wait !== undefined; wait = codec.prepareDecode(value, { signal })) await wait;
    return codec.decode(value);
  } catch (error) {
    if (error instanceof LabelstreamError && error.description.cause === 'input') return undefined;
    throw error;
  }
}
