/**
 * Whose doing it is that a model could not compute an item, by evidence: a model that still gives its known answers is sound, and the item is
 * outside of what it computes; one that does not is a failing system (SEMANTICS.md, rule 8), whatever the item was.
 */
import type { ItemFailure, ItemOutcome } from './inference.ts';

/** What bad items and bad models have in common. */
const doubtfulCodes: ReadonlySet<string> = new Set<ItemFailure['code']>(['LS_AUDIO_DECODER', 'LS_IMAGE_DECODER', 'LS_MODEL_OUTPUT_NOT_FINITE', 'LS_MODEL_RUN']);

/** A proof holds this long, so that a flood of bad items does not spend the worker on known answers. */
const proofMsMax = 1_000;

export type FailureBlame = (outcomes: readonly ItemOutcome[]) => Promise<readonly ItemOutcome[]>;

/** @param mistakes those in the known answers as the model gives them now. @param nowMs of a clock that never goes back. */
export function createFailureBlame(mistakes: () => Promise<readonly string[]>, nowMs: () => number): FailureBlame {
  let provedAtMs = Number.NEGATIVE_INFINITY;
  const firstMistake = async (): Promise<string | undefined> => {
    if (nowMs() - provedAtMs < proofMsMax) return undefined;
    const [first] = await mistakes();
    if (first === undefined) provedAtMs = nowMs();
    return first;
  };
  return async (outcomes) => {
    if (!outcomes.some(isDoubtful)) return outcomes;
    const mistake = await firstMistake();
    if (mistake === undefined) return outcomes;
    return outcomes.map((outcome) => (isDoubtful(outcome) ? { failure: modelFailure(outcome.failure, mistake) } : outcome));
  };
}

function isDoubtful(outcome: ItemOutcome): outcome is { readonly failure: ItemFailure } {
  return 'failure' in outcome && doubtfulCodes.has(outcome.failure.code);
}

function modelFailure({ message, details }: ItemFailure, mistake: string): ItemFailure {
  return { code: 'LS_MODEL_OUTPUT', message: `${message}; the model does not give its known answers any more: ${mistake}`, details };
}
