/**
 * The clusters of all partitions of features, asked in this process: of those that it owns the state that they are folded into, of the others one that follows
 * them (SEMANTICS.md, rule 25). A follower holds the whole state of its partition: it is begun by the first question, and given up when no more come.
 */
import type { Clock } from '../../core/clock.ts';
import { clusterError } from '../../core/errors/cluster.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import { serverError } from '../../core/errors/server.ts';
import { topics } from '../../core/topics.ts';
import { rejectionOf } from '../../pipeline/abort.ts';
import { createCondition, type Condition } from '../../pipeline/condition.ts';
import type { FollowerOptions } from './cluster-follower.ts';
import type { AskOptions, LiveClusters, LivePartition } from './cluster-queries.ts';
import type { ClusterPartition } from './cluster-stage.ts';
import { followPartition, type FollowedPartition } from './followed-partition.ts';

/** A state that stands, and how far. */
export type StandingPartition = {
  readonly folded: ClusterPartition;
  readonly sequence: () => bigint | undefined;
};

/** What of features this process owns. */
export type OwnedPartitions = {
  /** `restoring` while it is brought to where its owner was; undefined where it is not owned here. */
  readonly find: (partition: number) => StandingPartition | 'restoring' | undefined;
  /** The last listener is told whenever an answer may be another. */
  readonly watch: (listener: () => void) => void;
};

export type LiveClustersOptions = FollowerOptions & {
  readonly owned: OwnedPartitions;
  readonly clock: Clock;
  /** How long a follower goes on without questions. */
  readonly followerIdleMsMax: number;
};

type Following = { readonly followed: FollowedPartition; readonly incarnation: string; askedAtMs: number };

type Live = LiveClustersOptions & { readonly changed: Condition; readonly following: Map<number, Following>; readonly closing: AbortController };

export function createLiveClusters(options: LiveClustersOptions): LiveClusters {
  const changed = createCondition(options.clock);
  options.owned.watch(changed.notify);
  const live: Live = { ...options, changed, following: new Map(), closing: new AbortController() };
  const idling = endIdle(live);
  return {
    partitions: async (asked) => {
      const { incarnation, partitionCount } = await Promise.race([options.transport.describeTopic(topics.features), rejectionOf(asked.signal)]);
      for (const partition of asked.atLeast?.keys() ?? []) if (partition >= partitionCount) throw noSuchRecord(partition, `there are ${partitionCount} partitions`);
      return Array.from({ length: partitionCount }, (_, partition) => livePartition(live, { partition, incarnation }, asked));
    },
    close: async () => {
      live.closing.abort(serverError('LS_SERVER_DRAINING', 'the server is stopping'));
      await idling;
      await Promise.all(Array.from(live.following.values(), ({ followed }) => followed.close()));
    },
  };
}

function livePartition(live: Live, place: { readonly partition: number; readonly incarnation: string }, { signal, atLeast }: AskOptions): LivePartition {
  return {
    ask: async (question) => {
      for (;;) {
        const standing = await Promise.race([standingAt(live, place, atLeast?.get(place.partition), signal), rejectionOf(signal)]);
        try {
          // What a record is about to change is settled first; the sequence is read in the turn that the question is answered in.
          const [answer, sequence] = await Promise.race([standing.folded.ask((view) => [question(view), standing.sequence()] as const), rejectionOf(signal)]);
          return { value: await Promise.race([answer, rejectionOf(signal)]), heldAt: { partition: place.partition, sequence } };
        } catch (error) {
          // The partition has changed hands while an answer was searched for: the next state is asked.
          if (!isClosed(error)) throw error;
        }
      }
    },
  };
}

const isClosed = (error: unknown): boolean => error instanceof LabelstreamError && error.code === 'LS_CLUSTERING_CLOSED';

/** Waits while it is restored, and until it has come so far; no longer than somebody waits for it, since it keeps a follower. */
async function standingAt(live: Live, place: { readonly partition: number; readonly incarnation: string }, atLeast: bigint | undefined, signal: AbortSignal): Promise<StandingPartition> {
  for (;;) {
    const owned = live.owned.find(place.partition);
    if (owned === 'restoring') {
      await untilChanged(live, () => live.owned.find(place.partition) !== 'restoring', signal);
      continue;
    }
    const standing = owned ?? (await followed(live, place));
    const hasCome = (): boolean => atLeast === undefined || (standing.sequence() ?? -1n) >= atLeast;
    if (atLeast === undefined || hasCome()) return standing;
    await requireThere(live, place.partition, atLeast);
    // Whoever owned it may have lost it, and a follower may have ended: then another one is asked.
    await untilChanged(live, () => hasCome() || !isCurrent(live, place.partition, owned), signal);
  }
}

/** What is not in the log is not waited for: nobody knows whether it ever comes. */
async function requireThere({ transport }: Live, partition: number, sequence: bigint): Promise<void> {
  const { end } = await transport.bounds({ topic: topics.features, partition });
  if (sequence >= end.sequence) throw noSuchRecord(partition, `the last record has ${String(end.sequence - 1n)}, not ${String(sequence)} or more`);
}

function noSuchRecord(partition: number, why: string): Error {
  return clusterError('LS_CLUSTER_SEQUENCE_UNKNOWN', `Partition ${partition} of features has no record to wait for: ${why}.`, { partition });
}

/** Rejects with the reason of the signal, and of the end of all questions. */
async function untilChanged({ changed, closing }: Live, predicate: () => boolean, asked: AbortSignal): Promise<void> {
  const signal = AbortSignal.any([asked, closing.signal]);
  signal.addEventListener('abort', changed.notify, { once: true });
  await changed.until(() => signal.aborted || predicate());
  signal.removeEventListener('abort', changed.notify);
  signal.throwIfAborted();
}

function isCurrent({ owned, following }: Live, partition: number, standing: StandingPartition | undefined): boolean {
  const found = owned.find(partition);
  if (standing !== undefined) return found !== undefined && found !== 'restoring' && found.folded === standing.folded;
  return found === undefined && following.get(partition)?.followed.hasEnded() === false;
}

async function followed(live: Live, { partition, incarnation }: { readonly partition: number; readonly incarnation: string }): Promise<StandingPartition> {
  const known = live.following.get(partition);
  const isUsable = known !== undefined && !known.followed.hasEnded() && known.incarnation === incarnation;
  if (known !== undefined && !isUsable) await known.followed.close();
  // Another question may have begun one meanwhile.
  const current = live.following.get(partition);
  const begun = current !== undefined && current !== known ? current : isUsable ? known : begin(live, partition, incarnation);
  begun.askedAtMs = live.clock.elapsedMs();
  return { folded: await begun.followed.standing(), sequence: begun.followed.sequence };
}

function begin(live: Live, partition: number, incarnation: string): Following {
  live.closing.signal.throwIfAborted();
  const begun = { followed: followPartition(live, { topic: topics.features, partition, incarnation }), incarnation, askedAtMs: live.clock.elapsedMs() };
  live.following.set(partition, begun);
  return begun;
}

/** Also those of partitions that have come here since. */
async function endIdle({ following, owned, clock, closing, followerIdleMsMax }: Live): Promise<void> {
  const hasEnded = (): boolean => closing.signal.aborted;
  while (!hasEnded()) {
    await clock.sleep(followerIdleMsMax / 4, closing.signal);
    for (const [partition, { followed: idle, askedAtMs }] of following) {
      const isWanted = owned.find(partition) === undefined && clock.elapsedMs() - askedAtMs < followerIdleMsMax;
      if (isWanted || hasEnded()) continue;
      following.delete(partition);
      await idle.close();
    }
  }
}
