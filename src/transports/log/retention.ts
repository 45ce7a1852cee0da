/**
 * What leaves the log because it is old, or too much: whole segments, the oldest first, as with Kafka's retention.ms and retention.bytes. The
 * active segment stays whatever its size; by age it goes, too, once its last record is over age and nothing is being written to it: a quiet
 * partition must not keep for ever what was to be kept for a week. For the same reason a segment takes records for at most the age itself
 * (partition-writer.ts), so that none is kept longer than twice that.
 *
 * Order on disk: the journal says where the partition begins now, and is synchronised; only then do files go. After a crash in between, the
 * next opening removes what is left over (log-recovery.ts).
 */
import type { TopicPartition } from '../../core/records.ts';
import type { PartitionState, Segment } from './log-state.ts';

/** Undefined: no limit. */
export type RetentionLimits = { readonly ms: number | undefined; readonly bytes: number | undefined };

export type LogRetention = {
  /** Of each partition of the topic. */
  readonly limitsOf: (topic: string) => RetentionLimits;
  /**
   * The first sequence that somebody still needs, however old it is; undefined: nobody does.
   * @param committed the next sequence that a group reads of the partition; undefined where it has committed none.
   * @param signal ends what it waits for, with its reason.
   */
  readonly neededFrom: (partition: TopicPartition & { readonly incarnation: string }, committed: CommittedPosition, signal: AbortSignal) => Promise<bigint | undefined>;
};

export type CommittedPosition = (group: string) => bigint | undefined;

export const keepEverything: LogRetention = {
  limitsOf: () => ({ ms: undefined, bytes: undefined }),
  neededFrom: () => Promise.resolve(undefined),
};

export type Expiry = { readonly limits: RetentionLimits; readonly neededFrom: bigint | undefined };

/**
 * The sequence below which everything may go, the beginning of a segment or the end of the log; undefined where nothing may.
 * @param activeToo nothing is being written to the active segment.
 */
export function expiredBefore(partition: PartitionState, { limits, neededFrom }: Expiry, nowMs: number, activeToo: boolean): bigint | undefined {
  const { segments, nextSequence } = partition;
  let keptBytes = segments.reduce((sum, segment) => sum + segment.lengthBytes, 0);
  let before: bigint | undefined;
  for (const [place, segment] of segments.entries()) {
    const active = place === segments.length - 1;
    const end = segments[place + 1]?.baseSequence ?? nextSequence;
    keptBytes -= segment.lengthBytes;
    const tooMuch = !active && limits.bytes !== undefined && keptBytes >= limits.bytes;
    const tooOld = (!active || activeToo) && isOverAge(segment, limits, nowMs);
    if (!(tooMuch || tooOld) || (neededFrom !== undefined && end > neededFrom)) break;
    before = end;
  }
  return before;
}

function isOverAge({ lastAppendTimeMs }: Segment, { ms }: RetentionLimits, nowMs: number): boolean {
  return ms !== undefined && nowMs - lastAppendTimeMs > ms;
}
