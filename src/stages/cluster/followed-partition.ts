/**
 * A partition of features that somebody else owns, or nobody: read from the newest snapshot and the log, and on from there as records come (SEMANTICS.md,
 * rule 25). What the fold gives is thrown away.
 *
 *     opening: snapshot -> log to its end -> standing: read, fold, read ...
 *        ^                                      |
 *        └── retention has passed it by, or it was idle: the next question opens it anew
 */
import type { Clock } from '../../core/clock.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import { unlessAborted } from '../../pipeline/abort.ts';
import type { Condition } from '../../pipeline/condition.ts';
import { budgetDefault, foldToEnd, type FoldedPartition, type FollowerOptions } from './cluster-follower.ts';
import type { ClusterPartition } from './cluster-stage.ts';
import type { FeaturesPartition } from './state.ts';

export type FollowedPartition = {
  /** Resolves with the state that stands; rejects with what keeps it from being opened, or read on. */
  readonly standing: () => Promise<ClusterPartition>;
  /** Of the last record folded; undefined where none is known to be. */
  readonly sequence: () => bigint | undefined;
  /** It is not followed any more, by `close` or by a failure. */
  readonly hasEnded: () => boolean;
  readonly close: () => Promise<void>;
};

export type FollowedOptions = FollowerOptions & {
  readonly clock: Pick<Clock, 'sleep'>;
  /** Is told of every record folded, and of the end. */
  readonly changed: Pick<Condition, 'notify'>;
};

/** What brokers that are away are asked again after. */
const retryMs = 1_000;

export function followPartition(options: FollowedOptions, features: FeaturesPartition): FollowedPartition {
  const closing = new AbortController();
  let opened: FoldedPartition | undefined;
  let failure: { readonly error: unknown } | undefined;
  const opening = foldToEnd(options, features, closing.signal).then((folded) => {
    opened = folded;
    return folded;
  });
  const following = opening
    .then((folded) => foldOn(options, features, folded, closing.signal))
    .catch((error: unknown) => {
      failure = { error };
    })
    .finally(async () => {
      await opened?.folded.close();
      options.changed.notify();
    });
  return {
    standing: async () => {
      const { folded } = await opening;
      if (failure !== undefined) throw failure.error;
      return folded;
    },
    // A batch is folded record by record, with answers in between.
    sequence: () => opened?.folded.foldedSequence() ?? opened?.sequence,
    hasEnded: () => failure !== undefined || closing.signal.aborted,
    close: async () => {
      closing.abort();
      await following;
    },
  };
}

/** Until the signal aborts. Rejects with what reading or folding fails with for good. */
async function foldOn({ transport, clock, changed, budget = budgetDefault }: FollowedOptions, features: FeaturesPartition, { folded, ...standing }: FoldedPartition, signal: AbortSignal): Promise<void> {
  let { position } = standing;
  const hasEnded = (): boolean => signal.aborted;
  while (!hasEnded()) {
    const from = position;
    const records = await readUnlessAway(() => transport.read(features, from, budget, signal), clock, signal);
    await folded.fold(records, signal);
    const last = records.at(-1);
    if (last === undefined || hasEnded()) continue;
    position = last.nextPosition;
    changed.notify();
  }
}

/** None where the log cannot be read at the moment, after a while. */
async function readUnlessAway<Record>(read: () => Promise<readonly Record[]>, clock: Pick<Clock, 'sleep'>, signal: AbortSignal): Promise<readonly Record[]> {
  try {
    return (await unlessAborted(read(), signal)) ?? [];
  } catch (error) {
    if (!(error instanceof LabelstreamError) || !error.description.retryable) throw error;
    await clock.sleep(retryMs, signal);
    return [];
  }
}
