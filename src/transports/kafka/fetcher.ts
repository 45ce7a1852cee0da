/**
 * Fetching for all partitions that this process reads, with one request in flight per broker, and a second one where that is a long wait.
 *
 *     poll waits, or there is room to read ahead
 *        |
 *     demand ---- the long lane is free ----> one Fetch for all of them, which waits up to `longWaitMs` for a first record
 *        `------- it is not, a poll waits --> a Fetch on connections of its own, which waits `shortWaitMs`
 *
 * A broker answers the requests of a connection one after the other, so without the second lane whoever comes to read while others wait at the end
 * would wait with them. What is fetched beyond what is polled stays as undecoded batches, bounded per partition and in all.
 */
import { LabelstreamError } from '../../core/errors/error.ts';
import { pipelineError } from '../../core/errors/pipeline.ts';
import type { KafkaConnection } from './connection.ts';
import { fetchFrom, protocolError, type FetchedPartition, type PartitionFetch } from './fetch-request.ts';
import { visibleBatches, type RecordSource } from './fetched-records.ts';
import { asKafkaError } from './kafka-errors.ts';
import type { KafkaOptions } from './kafka-options.ts';
import { createLeaders, type Leaders } from './leaders.ts';
import { openPartitionBuffer, type FetchStart, type PartitionBuffer } from './partition-buffer.ts';
import type { Fetcher, PartitionReader } from './partition-reader.ts';

export type KafkaFetcher = Fetcher & {
  /** Like `open`, but it fetches only while a poll waits. */
  readonly openOnDemand: (source: RecordSource, offset: bigint) => PartitionReader;
};

export type FetcherOptions = {
  readonly connection: KafkaConnection;
  readonly options: KafkaOptions;
  /** Of the connection that is not waited on: for the short lane. */
  readonly leaders: Leaders;
  /** Asked where a broker does not know the partition or the offset: the error to tell, or undefined where it is there after all. */
  readonly lostPosition: (source: RecordSource, offset: bigint) => Promise<Error | undefined>;
};

const longWaitMs = 250;
const shortWaitMs = 10;
/** What one request asks for: of one partition, and in all. */
const partitionBytesMax = 1024 * 1024;
const requestBytesMax = 8 * 1024 * 1024;
/** Read ahead is refilled below this, so that at most this and one answer are in memory per partition; and not at all beyond the second. */
const readAheadBytesMin = 512 * 1024;
const readAheadBytesInAll = 64 * 1024 * 1024;
/** A poll waits through this many failures before it is told. */
const failuresMax = 2;
const unknownServerError = -1;
const backoffMsMin = 50;
const backoffMsMax = 2_000;

type Lane = { readonly leaders: Leaders; readonly waitMs: number; readonly busy: Set<string> };

/** A partition that is read: several may read the same one. */
type Member = {
  readonly source: RecordSource;
  readonly buffer: PartitionBuffer;
  readonly readAhead: boolean;
  /** Since the last fetch that succeeded. */
  failures: number;
  /** After a failure it is not fetched for a while. */
  resting: boolean;
};

/** One partition of a request, and who waits for it at that offset. */
type Ask = PartitionFetch & { readonly members: Map<Member, FetchStart> };

export function createFetcher({ connection, options, leaders, lostPosition }: FetcherOptions): KafkaFetcher {
  const closing = new AbortController();
  const members = new Set<Member>();
  const long: Lane = { leaders: createLeaders(connection.openCluster(), options, closing.signal), waitMs: longWaitMs, busy: new Set() };
  const short: Lane = { leaders, waitMs: shortWaitMs, busy: new Set() };
  let scheduled = false;
  let turn = 0;

  const schedule = (): void => {
    if (scheduled || closing.signal.aborted) return;
    scheduled = true;
    // Polls and seeks of the same turn go into the same request.
    setImmediate(() => {
      scheduled = false;
      dispatch();
    });
  };
  const failures = createFailures({ options, lanes: [long, short], lostPosition, schedule, closing: closing.signal });
  const dispatch = (): void => {
    // Each comes first in turn: the first of a request gets a batch that is larger than the limits.
    turn += 1;
    const byNode = Map.groupBy(rotated(wantingOf(members), turn), ({ source }) => long.leaders.knownNode(source));
    for (const [node, wanted] of byNode) {
      if (node === undefined) {
        for (const member of wanted) void locate(member).finally(schedule);
        continue;
      }
      // The long lane waits for the short one, to take in again what that has: else both would go on apart for ever.
      if (!long.busy.has(node) && !short.busy.has(node)) start(long, node, wanted);
      if (!short.busy.has(node)) start(short, node, wanted.filter(({ buffer }) => buffer.isPolled() && buffer.isFree()));
    }
  };
  const locate = async (member: Member): Promise<void> => {
    const began = member.buffer.begin();
    await long.leaders.nodeOf(member.source).then(
      () => member.buffer.end(began),
      (error: unknown) => failures.of(member, began, error),
    );
  };
  const start = (lane: Lane, node: string, wanted: readonly Member[]): void => {
    if (wanted.length === 0) return;
    lane.busy.add(node);
    void fetchAll(lane, node, asksOf(wanted), failures, options.observer).finally(() => {
      lane.busy.delete(node);
      schedule();
    });
  };
  const open = (source: RecordSource, offset: bigint, readAhead: boolean): PartitionReader => {
    const closed = (): boolean => members.delete(member);
    const buffer = openPartitionBuffer({ source, offset, nowMs: options.clock.nowMs, changed: schedule, closed });
    const member: Member = { source, buffer, readAhead, failures: 0, resting: false };
    members.add(member);
    if (closing.signal.aborted) buffer.reader.close(closedError());
    else schedule();
    return buffer.reader;
  };
  return {
    open: (source, offset) => open(source, offset, true),
    openOnDemand: (source, offset) => open(source, offset, false),
    close: () => {
      closing.abort();
      for (const { buffer } of members) buffer.reader.close(closedError());
      return Promise.resolve();
    },
  };
}

/** One request; whatever becomes of it is told to whoever asked. Never rejects. */
async function fetchAll({ leaders, waitMs }: Lane, node: string, asks: readonly Ask[], failures: Failures, observer: KafkaOptions['observer']): Promise<void> {
  try {
    const fetched = await fetchFrom(await leaders.broker(node), asks, { waitMs, bytesMax: requestBytesMax });
    const byName = new Map(fetched.map((partition) => [nameOf(partition), partition]));
    for (const ask of asks) await take(ask, byName.get(nameOf(ask)), failures, observer);
  } catch (error) {
    await Promise.all(asks.map((ask) => failures.ofAll(ask, error)));
  }
}

async function take(ask: Ask, fetched: FetchedPartition | undefined, failures: Failures, observer: KafkaOptions['observer']): Promise<void> {
  try {
    if (fetched === undefined || fetched.errorCode !== 0) throw protocolError(fetched?.errorCode ?? unknownServerError);
    observer.fetched(ask, fetched.lastStableOffset, fetched.highWatermark);
    const visible = await visibleBatches(fetched, ask.offset);
    for (const [member, began] of ask.members) {
      member.failures = 0;
      member.buffer.add(began, visible);
    }
  } catch (error) {
    await failures.ofAll(ask, error);
  }
}

type Failures = {
  readonly of: (member: Member, began: FetchStart, error: unknown) => Promise<void>;
  readonly ofAll: (ask: Ask, error: unknown) => Promise<void>;
};

type FailuresOptions = {
  readonly options: KafkaOptions;
  readonly lanes: readonly Lane[];
  readonly lostPosition: FetcherOptions['lostPosition'];
  readonly schedule: () => void;
  readonly closing: AbortSignal;
};

/** What may pass is tried again after a while, with whoever leads then; a poll hears of it when it has not passed soon. */
function createFailures({ options, lanes, lostPosition, schedule, closing }: FailuresOptions): Failures {
  const { clock, random } = options;
  let refreshing: Promise<unknown> | undefined;
  const rest = (member: Member): void => {
    const backoffMs = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(member.failures, 10)) * (0.5 + random() / 2);
    member.resting = true;
    refreshing ??= Promise.allSettled(lanes.map(({ leaders }) => leaders.refresh())).finally(() => {
      refreshing = undefined;
    });
    void Promise.allSettled([clock.sleep(backoffMs, closing), refreshing]).then(() => {
      member.resting = false;
      schedule();
    });
  };
  const of = async (member: Member, began: FetchStart, thrown: unknown): Promise<void> => {
    if (closing.aborted) return;
    const { source, buffer } = member;
    const error = asKafkaError(thrown, { operation: 'fetch from', topic: source.topic, partition: source.partition });
    const lost = isAboutPlace(error) ? await lostPosition(source, began.offset).catch(() => undefined) : undefined;
    if (lost !== undefined) {
      buffer.lose(began, lost);
      return;
    }
    member.failures += 1;
    const isOver = member.failures >= failuresMax || !isPassing(error);
    if (isOver && isPassing(error)) options.observer.fetchFailed(source, error);
    if (isOver) buffer.fail(began, error);
    else buffer.end(began);
    rest(member);
  };
  return { of, ofAll: async ({ members }, error) => { await Promise.all([...members].map(([member, began]) => of(member, began, error))); } };
}

/** Those for which something can and should be fetched now. */
function wantingOf(members: ReadonlySet<Member>): readonly Member[] {
  let bytes = 0;
  for (const { buffer } of members) bytes += buffer.bytes();
  const mayReadAhead = bytes < readAheadBytesInAll;
  return [...members].filter(({ buffer, readAhead, resting }) => {
    if (resting || !buffer.isFree()) return false;
    return buffer.isPolled() || (readAhead && mayReadAhead && buffer.bytes() < readAheadBytesMin);
  });
}

function rotated<Item>(items: readonly Item[], by: number): readonly Item[] {
  if (items.length < 2) return items;
  const at = by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

/** A request names a partition once. Who reads it at another offset comes in another request. */
function asksOf(members: readonly Member[]): readonly Ask[] {
  const asks = new Map<string, Ask>();
  for (const member of members) {
    const { topic, partition } = member.source;
    const offset = member.buffer.offset();
    const name = nameOf(member.source);
    const ask = asks.get(name) ?? { topic, partition, offset, bytesMax: partitionBytesMax, members: new Map<Member, FetchStart>() };
    if (ask.offset !== offset) continue;
    ask.members.set(member, member.buffer.begin());
    asks.set(name, ask);
  }
  return [...asks.values()];
}

function nameOf({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}/${String(partition)}`;
}

/** A broker that has just begun to lead may not know yet what it leads. */
function isAboutPlace(error: Error): boolean {
  return error instanceof LabelstreamError && (error.code === 'LS_TRANSPORT_POSITION_LOST' || error.code === 'LS_TRANSPORT_TOPIC_MISSING');
}

function isPassing(error: Error): boolean {
  return isAboutPlace(error) || (error instanceof LabelstreamError && error.retryable);
}

function closedError(): Error {
  return pipelineError('LS_TRANSPORT_CLOSED', 'The Kafka transport is closed.');
}
