/**
 * A materialised view of the topic `labels`: what each input and item is labelled now, with assignments resolved by what `cluster-events` tells. It follows
 * both topics outside any group, from where its file stands; every answer says for which place it holds. What cannot be relied on (a damaged file, one
 * of another format, of another incarnation of a topic, or ahead of the log) is made again from the log.
 *
 *     labels, cluster-events -> read -> decode, a bounded batch in a turn -> thread: entries and position in one transaction -> answers
 */
import type { Codec } from '../codec/codec.ts';
import type { Clock, Random } from '../core/clock.ts';
import { LabelstreamError } from '../core/errors/error.ts';
import { viewError } from '../core/errors/view.ts';
import type { TopicPartition } from '../core/records.ts';
import { topics } from '../core/topics.ts';
import { backOffMs, codeOf } from '../pipeline/retry.ts';
import type { Transport } from '../pipeline/transport.ts';
import { followPartition, TopicReplaced } from './follow-partition.ts';
import type { CurrentLabel, LabelsWanted, OpenedStore, Place, StoreLimits } from './label-store.ts';
import { startLabelStore, type LabelStore } from './label-thread.ts';
import type { LabelViewObserver } from './label-view-observer.ts';

/** What an answer holds for: all records of the partition up to the sequence, and none after it. */
export type HeldAt = TopicPartition & {
  /** null: there has been no record yet. */
  readonly sequence: string | null;
  /** From this sequence on retention took records that were never read, and what they told may still count; null: nothing is missing. */
  readonly incompleteSince: string | null;
};

export type LabelsAnswer = { readonly labels: readonly CurrentLabel[]; readonly heldAt: readonly HeldAt[] };

/** Both reject with LS_VIEW_BUILDING, LS_VIEW_UNAVAILABLE, LS_VIEW_DAMAGED. */
export type LabelView = {
  readonly labelsOfItem: (itemId: string) => Promise<LabelsAnswer>;
  readonly labelsOfInput: (inputId: string) => Promise<LabelsAnswer>;
  readonly close: () => Promise<void>;
};

export type LabelViewOptions = {
  readonly transport: Pick<Transport, 'describeTopic' | 'bounds' | 'read'>;
  readonly codec: Pick<Codec, 'prepareDecode' | 'decodeAs'>;
  /** Its files are in there. */
  readonly directory: string;
  readonly limits: StoreLimits;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly random: Random;
  readonly observer: LabelViewObserver;
};

const followed = [topics.labels, topics.clusterEvents];
const patience = { baseMs: 500, capMs: 30_000 };

type Progress = {
  /** Whether the view has once had all that the log held. */
  isBuilt: boolean;
  /** Records to be read, by partition. */
  readonly remaining: Map<string, bigint>;
  /** Ends the following with what an answer met. */
  fail: (error: unknown) => void;
  /** Since it last got further: how often it failed, and with what. */
  failures: number;
  failure: unknown;
};

/** At once: the file is opened, and the topics are read, meanwhile. */
export function openLabelView(options: LabelViewOptions): LabelView {
  const { directory, limits, observer } = options;
  const store = startLabelStore({ directory, ...limits });
  const closing = new AbortController();
  const progress: Progress = { isBuilt: false, remaining: new Map(), fail: () => undefined, failures: 0, failure: undefined };
  const ended = keepFollowing(options, store, progress, closing.signal);
  const find = async (wanted: LabelsWanted): Promise<LabelsAnswer> => {
    requireBuilt(progress);
    const { labels, places } = await store.find(wanted).catch((error: unknown) => {
      if (rebuildReason(error) !== undefined) progress.fail(error);
      throw error;
    });
    // It may have been emptied meanwhile.
    requireBuilt(progress);
    return { labels, heldAt: places.map((place) => heldAt(place, limits)).sort(byPlace) };
  };
  return {
    labelsOfItem: (itemId) => find({ itemId }),
    labelsOfInput: (inputId) => find({ inputId }),
    close: async () => {
      closing.abort();
      await ended;
      await store.close();
      observer.remaining(0);
    },
  };
}

function requireBuilt({ isBuilt, remaining, failure }: Progress): void {
  if (isBuilt) return;
  if (failure instanceof LabelstreamError && failure.code === 'LS_VIEW_UNAVAILABLE') throw failure;
  const left = [...remaining.values()].reduce((sum, records) => sum + records, 0n);
  throw viewError('LS_VIEW_BUILDING', remaining.size === 0 ? 'the view of labels is being opened' : `the view of labels is being made from the log: ${left} records are still to be read`, { remainingRecords: left });
}

function heldAt({ topic, partition, sequence, timeMs, gap }: Place, { retentionMs }: StoreLimits): HeldAt {
  const isIncomplete = gap !== null && (gap.endedMs === null || timeMs <= gap.endedMs + retentionMs);
  return { topic, partition, sequence: sequence === null ? null : String(sequence), incompleteSince: isIncomplete ? String(gap.since) : null };
}

function byPlace(left: HeldAt, right: HeldAt): number {
  return followed.indexOf(left.topic as (typeof followed)[number]) - followed.indexOf(right.topic as (typeof followed)[number]) || left.partition - right.partition;
}

/** Until the signal aborts. Never rejects. */
async function keepFollowing(options: LabelViewOptions, store: LabelStore, progress: Progress, signal: AbortSignal): Promise<void> {
  const isOver = (): boolean => signal.aborted;
  let reason: string | undefined;
  while (!isOver()) {
    try {
      await follow(options, store, progress, { reason, ending: signal });
    } catch (error) {
      if (isOver()) return;
      reason = rebuildReason(error);
      progress.failures += 1;
      progress.failure = error;
      options.observer.failed(error);
      await options.clock.sleep(backOffMs(patience, progress.failures, options.random), signal);
    }
  }
}

function rebuildReason(error: unknown): string | undefined {
  if (error instanceof TopicReplaced) return error.message;
  return codeOf(error) === 'LS_VIEW_DAMAGED' ? 'its file is damaged' : undefined;
}

/** @param reason why nothing that the file holds counts, if so. Rejects with what the store and the transport do, and TopicReplaced. */
async function follow(options: LabelViewOptions, store: LabelStore, progress: Progress, { reason, ending }: { readonly reason: string | undefined; readonly ending: AbortSignal }): Promise<void> {
  const { observer } = options;
  const partitions = await partitionsOf(options);
  const opened = await openFor(partitions, store, progress, { reason, observer });
  const places = new Map(opened.places.map((place) => [nameOf(place), place]));
  progress.remaining.clear();
  for (const partition of partitions) progress.remaining.set(nameOf(partition), unread(partition, places.get(nameOf(partition))));
  progress.isBuilt = opened.isBuilt;
  const stopping = new AbortController();
  const signal = AbortSignal.any([ending, stopping.signal]);
  const reached = async (): Promise<void> => {
    progress.failures = 0;
    progress.failure = undefined;
    const left = [...progress.remaining.values()].reduce((sum, records) => sum + records, 0n);
    observer.remaining(Number(left));
    if (progress.isBuilt || left > 0n) return;
    await store.setBuilt();
    progress.isBuilt = true;
    observer.built();
  };
  const inTurn = createTurns();
  const failing = Promise.withResolvers<never>();
  progress.fail = failing.reject;
  try {
    const following = partitions.map(async (partition) => {
      const place = places.get(nameOf(partition)) ?? (await begin(store, partition));
      await followPartition({ ...options, store, inTurn }, place, signal, async (now) => {
        progress.remaining.set(nameOf(partition), unread(partition, now));
        await reached();
      });
    });
    await Promise.race([Promise.all([reached(), ...following]), failing.promise]);
  } finally {
    stopping.abort();
  }
}

type Partition = TopicPartition & { readonly incarnation: string; readonly first: bigint; readonly end: bigint };

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

/** As they are now. */
async function partitionsOf({ transport }: LabelViewOptions): Promise<readonly Partition[]> {
  const partitions: Partition[] = [];
  for (const topic of followed) {
    const { incarnation, partitionCount } = await transport.describeTopic(topic);
    for (let partition = 0; partition < partitionCount; partition++) {
      const { start, end } = await transport.bounds({ topic, partition });
      partitions.push({ topic, partition, incarnation, first: start.sequence, end: end.sequence });
    }
  }
  return partitions;
}

/** Empty where what is in it is not of these partitions. */
async function openFor(partitions: readonly Partition[], store: LabelStore, progress: Progress, { reason, observer }: { readonly reason: string | undefined; readonly observer: LabelViewObserver }): Promise<OpenedStore> {
  const clear = (because: string): Promise<OpenedStore> => {
    progress.isBuilt = false;
    observer.rebuilding(because);
    return store.clear();
  };
  if (reason !== undefined) return clear(reason);
  const opened = await store.open();
  if (opened.discarded !== null) observer.rebuilding(opened.discarded);
  for (const place of opened.places) {
    const found = partitions.find((partition) => nameOf(partition) === nameOf(place));
    if (found?.incarnation !== place.incarnation) return clear(`${nameOf(place)} is of another incarnation of its topic`);
    if (place.sequence !== null && place.sequence >= found.end) return clear(`it has ${nameOf(place)} up to ${place.sequence}, and the log ends before ${found.end}`);
  }
  return opened;
}

async function begin(store: LabelStore, { topic, partition, incarnation, first }: Partition): Promise<Place> {
  const place: Place = { topic, partition, incarnation, position: null, sequence: null, timeMs: 0, gap: first > 0n ? { since: 0n, endedMs: null } : null };
  await store.apply({ place, labels: [], changes: [] });
  return place;
}

/** Of what was there when it was looked at; an upper bound, as sequences may have gaps. */
function unread({ first, end }: Partition, place: Place | undefined): bigint {
  const next = (place?.sequence ?? -1n) + 1n;
  const from = next > first ? next : first;
  return end > from ? end - from : 0n;
}

/** One piece of work in each turn of the main loop, whoever asks. */
function createTurns(): <Result>(work: () => Result) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(() => new Promise<void>((resolve) => setImmediate(resolve))).then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
}
