/** One partition of `labels` or `cluster-events` into the view: read, decoded and written batch by batch. */
import type { Codec } from '../codec/codec.ts';
import type { Clock } from '../core/clock.ts';
import { LabelstreamError } from '../core/errors/error.ts';
import type { ConsumedRecord } from '../core/records.ts';
import { topics } from '../core/topics.ts';
import { codeOf } from '../pipeline/retry.ts';
import type { Transport } from '../pipeline/transport.ts';
import { eventJson } from './event-json.ts';
import type { LabelJson } from './item-labels.ts';
import type { Place, ToldChange, ToldLabel, ViewBatch } from './label-store.ts';
import type { LabelStore } from './label-thread.ts';
import type { LabelViewObserver } from './label-view-observer.ts';

export type PartitionFollower = {
  readonly transport: Pick<Transport, 'describeTopic' | 'read'>;
  readonly codec: Pick<Codec, 'prepareDecode' | 'decodeAs'>;
  readonly store: Pick<LabelStore, 'apply'>;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly observer: Pick<LabelViewObserver, 'applied' | 'incomplete' | 'passedOver'>;
  /** So that batches that come at once do not stall the main loop. */
  readonly inTurn: <Result>(work: () => Result) => Promise<Result>;
};

/** The topic is another one than before. */
export class TopicReplaced extends Error {}

/** Of one turn, and of what may wait for the thread. */
const budget = { records: 200, bytes: 1024 * 1024 };
/** After a batch that was not full: under load few transactions hold many records. */
const lingerMs = 50;

/** Until the signal aborts. @param reached is awaited after every batch. Rejects with what the transport and the store do, and TopicReplaced. */
export async function followPartition(follower: PartitionFollower, from: Place, signal: AbortSignal, reached: (place: Place) => Promise<void>): Promise<void> {
  for (let place = from; ; ) {
    const records = await readOn(follower, place, signal);
    if (records === 'lost') {
      place = await passGap(follower, place);
      continue;
    }
    // An aborted read gives none.
    if (records.length === 0) return;
    const foreign = records.find(({ incarnation }) => incarnation !== place.incarnation);
    if (foreign !== undefined) throw replaced(place);
    for (const { value } of records) await follower.codec.prepareDecode(value, { signal });
    const batch = await follower.inTurn(() => batchOf(follower, place, records));
    await follower.store.apply(batch);
    ({ place } = batch);
    follower.observer.applied(place.topic, records.length);
    await reached(place);
    if (records.length < budget.records) await follower.clock.sleep(lingerMs, signal);
  }
}

const replaced = ({ topic, incarnation }: Place): Error => new TopicReplaced(`the topic ${topic} is another one than ${incarnation}`);

async function readOn({ transport }: PartitionFollower, place: Place, signal: AbortSignal): Promise<readonly ConsumedRecord[] | 'lost'> {
  try {
    return await transport.read(place, place.position ?? undefined, budget, signal);
  } catch (error) {
    if (codeOf(error) === 'LS_TRANSPORT_POSITION_LOST') return 'lost';
    throw error;
  }
}

/** Goes on with the first record kept, and says so. */
async function passGap({ transport, observer, store }: PartitionFollower, place: Place): Promise<Place> {
  const { incarnation } = await transport.describeTopic(place.topic);
  if (incarnation !== place.incarnation) throw replaced(place);
  const since = place.gap?.since ?? (place.sequence ?? -1n) + 1n;
  observer.incomplete(place, since);
  const passed = { ...place, position: null, gap: { since, endedMs: null } };
  await store.apply({ place: passed, labels: [], changes: [] });
  return passed;
}

function batchOf({ codec, observer }: PartitionFollower, place: Place, records: readonly ConsumedRecord[]): ViewBatch {
  const labels: ToldLabel[] = [];
  const changes: ToldChange[] = [];
  let { timeMs, gap } = place;
  for (const record of records) {
    const { appendTimeMs, value } = record;
    timeMs = Math.max(timeMs, appendTimeMs);
    if (gap?.endedMs === null) gap = { ...gap, endedMs: timeMs };
    try {
      if (place.topic === topics.labels) labels.push({ label: eventJson(codec.decodeAs('LabelEvent', value)) as LabelJson, appendTimeMs });
      else changes.push({ event: tellingOf(codec.decodeAs('ClusterEvent', value)), appendTimeMs });
    } catch (error) {
      // Somebody else's: there is nothing in it that could be shown.
      if (!(error instanceof LabelstreamError) || error.retryable) throw error;
      observer.passedOver(record, error);
    }
  }
  const last = records.at(-1);
  return { place: { ...place, position: last?.nextPosition ?? place.position, sequence: last?.sequence ?? place.sequence, timeMs, gap }, labels, changes };
}

function tellingOf({ type, family, collection, epoch, sequence, survivor, retired, name }: ToldChange['event']): ToldChange['event'] {
  return { type, family, collection, epoch, sequence, survivor, retired, name };
}
