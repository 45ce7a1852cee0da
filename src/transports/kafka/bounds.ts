/**
 * Where a partition begins and ends, and where a place in it is.
 *
 * The end is one above the last VISIBLE record, not the last stable offset: markers and aborted records stand in between, and whoever waits for the
 * end must be able to reach it by reading. It is found by looking back from the last stable offset, further each time.
 */
import type { Broker } from 'kafkajs';
import { LabelstreamError } from '../../core/errors/error.ts';
import type { TopicPartition } from '../../core/records.ts';
import { backOffMs } from '../../pipeline/retry.ts';
import type { Bound, Landmark, PartitionBounds } from '../../pipeline/transport.ts';
import type { KafkaCluster } from './connection.ts';
import { fetchFrom, protocolError } from './fetch-request.ts';
import { readBatch, visibleBatches, type RecordSource, type VisibleBatches } from './fetched-records.ts';
import type { KafkaOptions } from './kafka-options.ts';
import type { Leaders } from './leaders.ts';
import { boundOf } from './positions.ts';

export type BoundsReader = {
  /** `start` is the first offset kept: a visible record may come later. */
  readonly bounds: (source: RecordSource) => Promise<PartitionBounds>;
  readonly boundAt: (source: RecordSource, landmark: Landmark) => Promise<Bound>;
  /** Until the last stable offset is where the partition ends now, or the signal aborts. */
  readonly decided: (source: RecordSource, signal: AbortSignal) => Promise<void>;
  /** The first offset kept, and the last stable offset. */
  readonly offsets: (topicPartition: TopicPartition) => Promise<{ readonly start: bigint; readonly stable: bigint }>;
};

const consumerReplicaId = -1;
const readUncommitted = 0;
const latest = -1;
const probeBytes = 64 * 1024;
const probeStepFactor = 8n;
/** Markers take a few milliseconds; what others have open may take as long as their transactions may. */
const undecided = { baseMs: 5, capMs: 500 };

export function createBoundsReader(cluster: KafkaCluster, leaders: Leaders, { clock, random }: KafkaOptions): BoundsReader {
  /** What stands before a last stable offset does not change, except that retention takes it from the front. */
  const ends = new Map<string, { readonly stable: bigint; readonly incarnation: string; readonly lastVisible: bigint | undefined }>();

  const listed = async ({ topic, partition }: TopicPartition, which: { fromBeginning: boolean } | { fromTimestamp: number }): Promise<bigint> =>
    leaders.attempt({ operation: 'list offsets of', topic, partition }, async () => {
      const [answer] = await cluster.fetchTopicsOffset([{ topic, partitions: [{ partition }], ...which }]);
      // -1: no record has that time.
      return BigInt(answer?.partitions[0]?.offset ?? '-1');
    });
  const offsets: BoundsReader['offsets'] = async (topicPartition) => {
    const start = await listed(topicPartition, { fromBeginning: true });
    return { start, stable: await listed(topicPartition, { fromBeginning: false }) };
  };
  const probe = ({ topic, partition }: TopicPartition, offset: bigint): Promise<VisibleBatches> =>
    leaders.attempt({ operation: 'fetch from', topic, partition }, async (broker) => {
      const [fetched] = await fetchFrom(broker, [{ topic, partition, offset, bytesMax: probeBytes }], { waitMs: 0, bytesMax: probeBytes });
      if (fetched === undefined || fetched.errorCode !== 0) throw protocolError(fetched?.errorCode ?? -1);
      return visibleBatches(fetched, offset);
    });
  /** The offsets of the first and the last visible record from `from` to before `to`. */
  const visibleBetween = async (source: RecordSource, from: bigint, to: bigint, which: 'first' | 'last'): Promise<bigint | undefined> => {
    let last: bigint | undefined;
    for (let offset = from; offset < to; ) {
      const { batches, nextOffset } = await probe(source, offset);
      for (const batch of batches) {
        const { next } = readBatch(source, batch, offset, clock.nowMs);
        for (let read = next(); read !== undefined && read.record.sequence < to; read = next()) {
          if (which === 'first') return read.record.sequence;
          last = read.record.sequence;
        }
      }
      // Nothing at all: the partition ends earlier than it was said to.
      if (nextOffset === offset) break;
      offset = nextOffset;
    }
    return last;
  };
  const lastVisible = async (source: RecordSource, start: bigint, stable: bigint): Promise<bigint | undefined> => {
    const key = `${source.topic}/${String(source.partition)}`;
    const kept = ends.get(key);
    if (kept?.stable === stable && kept.incarnation === source.incarnation) return kept.lastVisible;
    const found = await lookBack(start, stable, (from, to) => visibleBetween(source, from, to, 'last'));
    ends.set(key, { stable, incarnation: source.incarnation, lastVisible: found });
    return found;
  };
  const endOf = async (source: RecordSource, start: bigint, stable: bigint): Promise<bigint> => {
    const last = await lastVisible(source, start, stable);
    return last === undefined || last < start ? start : last + 1n;
  };
  return {
    offsets,
    decided: async (source, signal) => {
      const { topic, partition } = source;
      const written = await leaders.attempt({ operation: 'list offsets of', topic, partition }, (broker) => endOfWritten(broker, source));
      for (let attempt = 1; (await offsets(source)).stable < written && !signal.aborted; attempt += 1) {
        await clock.sleep(backOffMs(undecided, attempt, random), signal);
      }
    },
    bounds: (source) =>
      whileRetained(async () => {
        const { start, stable } = await offsets(source);
        return { start: boundOf(start), end: boundOf(await endOf(source, start, stable)) };
      }),
    boundAt: (source, landmark) =>
      whileRetained(async () => {
        const { start, stable } = await offsets(source);
        const candidate = 'sequence' in landmark ? landmark.sequence : await listed(source, { fromTimestamp: timestampOf(landmark.appendTimeMs) });
        const isBeyond = candidate >= stable || (candidate < 0n && !('sequence' in landmark));
        const found = isBeyond ? undefined : await visibleBetween(source, candidate < start ? start : candidate, stable, 'first');
        return boundOf(found ?? (await endOf(source, start, stable)));
      }),
  };
}

type OffsetListing = { readonly responses: readonly { readonly partitions: readonly { readonly offset: string }[] }[] };
type ListingBroker = Broker & { readonly listOffsets: (request: object) => Promise<OffsetListing> };

/** What kafkajs' brokers can do beyond their types. A listing, because who may only write may ask for it, too. */
const canList = (broker: Broker): broker is ListingBroker => 'listOffsets' in broker && typeof broker.listOffsets === 'function';

/** Transactions that are not decided included. */
async function endOfWritten(broker: Broker, { topic, partition }: TopicPartition): Promise<bigint> {
  if (!canList(broker)) throw new Error('kafkajs is not the version that this was written for.');
  const topics = [{ topic, partitions: [{ partition, timestamp: latest }] }];
  const { responses } = await broker.listOffsets({ replicaId: consumerReplicaId, isolationLevel: readUncommitted, topics });
  return BigInt(responses[0]?.partitions[0]?.offset ?? '0');
}

/** Negative timestamps mean something else to Kafka. */
function timestampOf(appendTimeMs: number): number {
  return Math.max(0, Math.ceil(appendTimeMs));
}

async function lookBack(start: bigint, stable: bigint, lastBetween: (from: bigint, to: bigint) => Promise<bigint | undefined>): Promise<bigint | undefined> {
  let to = stable;
  for (let step = 1n; to > start; step *= probeStepFactor) {
    const from = stable - step > start ? stable - step : start;
    const last = await lastBetween(from, to);
    if (last !== undefined) return last;
    to = from;
  }
  return undefined;
}

const retentionAttemptsMax = 5;

/** Retention may take away what is being looked at: then everything is asked again. */
async function whileRetained<Result>(action: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof LabelstreamError) || error.code !== 'LS_TRANSPORT_POSITION_LOST' || attempt === retentionAttemptsMax) throw error;
    }
  }
}
