/**
 * Repeating what the broker has answered with "not yet" is safe: nothing was done, or nothing that a repetition would do twice. Of a Produce request that
 * is true of each partition by itself: it is for one partition, or has sequence numbers. One exception is a batch without sequence numbers whose leader
 * appended it and lost the lead before the replicas had it: it may be there twice then, as at-least-once allows. What was not answered is never repeated
 * here (SEMANTICS.md, rule 24).
 */
import type { Clock } from '../../../core/clock.ts';
import { protocolCodeOf } from '../kafka-errors.ts';

/** COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, CONCURRENT_TRANSACTIONS (the markers of the last are being written). */
export const coordinatorNotYet: ReadonlySet<number> = new Set([14, 15, 16, 51]);
/** UNKNOWN_TOPIC_OR_PARTITION (of one that was made just now), LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER. */
export const leaderNotYet: ReadonlySet<number> = new Set([3, 5, 6]);

/** 5 ms, 10, 20 and so on: about three seconds together. */
const firstWaitMs = 5;
const waitMsMax = 500;
const attemptsMax = 12;

/** @param attempt is given how often it was called before. */
export async function repeatAnswered<Result>(codes: ReadonlySet<number>, clock: Clock, attempt: (repeats: number) => Promise<Result>): Promise<Result> {
  for (let repeats = 0; ; repeats += 1) {
    try {
      return await attempt(repeats);
    } catch (error) {
      const code = protocolCodeOf(error);
      if (code === undefined || !codes.has(code) || repeats + 1 >= attemptsMax) throw error;
    }
    await clock.sleep(Math.min(firstWaitMs * 2 ** repeats, waitMsMax));
  }
}
