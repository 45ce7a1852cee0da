/**
 * Several texts are followed side by side, each time those of the highest sums of log probabilities; a text that ends is compared with the others by
 * its sum over its length to the power of the penalty. The rules are those of `generate` in transformers 4.57 for Python:
 *
 *   candidates   twice as many as beams (more, where there are several ends), the best first
 *   ended        only of the best `beams` candidates; they compete for the places of the whole texts
 *   followed     the best `beams` candidates that did not end
 *   stop         when the best text that is followed, as if it ended now, is not above the worst whole one; with early stopping as soon as there are
 *                `beams` whole ones; or when all candidates have ended or reached the limit, which counts as an end
 */
import { logitsOfRow, type Decoder, type GenerationLimits, type Step } from './decoder.ts';

export type BeamLimits = GenerationLimits & { readonly beamCount: number; readonly lengthPenalty: number; readonly earlyStopping: boolean };

export type ScoredText = {
  /** New ones, that which ends the text among them. */
  readonly tokens: readonly number[];
  readonly score: number;
};

type Beam = { readonly tokens: readonly number[]; readonly sum: number };

type Candidate = { readonly row: number; readonly token: number; readonly sum: number };

/** The whole texts, the best first; never more than beams. */
export async function beamSearch<State>(decoder: Decoder<State>, prompt: readonly number[], limits: BeamLimits): Promise<ScoredText[]> {
  const { beamCount, newTokensMax, endIds, lengthPenalty, earlyStopping, adjust } = limits;
  let step = await decoder.prompt(prompt);
  let beams: readonly Beam[] = [{ tokens: [], sum: 0 }];
  let whole: ScoredText[] = [];
  for (let length = 1; ; length += 1) {
    const candidates = bestCandidates(step, beams, Math.max(2, 1 + endIds.size) * beamCount, adjust);
    const isEnd = ({ token }: Candidate): boolean => endIds.has(token) || length >= newTokensMax;
    const textOf = ({ row, token }: Candidate): number[] => [...(beams[row]?.tokens ?? []), token];
    const penalty = length ** lengthPenalty;
    if (!(earlyStopping && whole.length >= beamCount)) {
      const ended = candidates.slice(0, beamCount).filter(isEnd).map((candidate): ScoredText => ({ tokens: textOf(candidate), score: candidate.sum / penalty }));
      // The sort is stable: of equal ones the earlier stays before.
      whole = [...whole, ...ended].sort((left, right) => right.score - left.score).slice(0, beamCount);
    }
    const followed = candidates.filter((candidate) => !isEnd(candidate)).slice(0, beamCount);
    const [best] = followed;
    const worst = whole.length < beamCount ? Number.NEGATIVE_INFINITY : (whole.at(-1)?.score ?? Number.NEGATIVE_INFINITY);
    const isOver = best === undefined || (earlyStopping && whole.length >= beamCount) || best.sum / penalty <= worst;
    if (isOver) return whole;
    const state = decoder.select(step.state, followed.map(({ row }) => row));
    step = await decoder.next(state, followed.map(({ token }) => token));
    beams = followed.map((candidate) => ({ tokens: textOf(candidate), sum: candidate.sum }));
  }
}

/** Over all rows, the best first. */
function bestCandidates(step: Step<unknown>, beams: readonly Beam[], count: number, adjust: GenerationLimits['adjust']): Candidate[] {
  const candidates: Candidate[] = [];
  for (const [row, { tokens, sum }] of beams.entries()) {
    const logits = logitsOfRow(step, row);
    adjust?.(logits, tokens);
    const total = logSumOfPowers(logits);
    for (const token of largestIndices(logits, count)) candidates.push({ row, token, sum: sum + (logits[token] ?? Number.NaN) - total });
  }
  return candidates.sort((left, right) => right.sum - left.sum || left.row - right.row || left.token - right.token).slice(0, count);
}

function logSumOfPowers(logits: Float32Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) largest = Math.max(largest, logit);
  let total = 0;
  for (const logit of logits) total += Math.exp(logit - largest);
  return largest + Math.log(total);
}

/** Of the `count` largest numbers above minus infinity. A vocabulary has tens of thousands of tokens: it is walked once, and not sorted. */
function largestIndices(numbers: Float32Array, count: number): number[] {
  const found: number[] = [];
  let smallest = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < numbers.length; index += 1) {
    const number = numbers[index] ?? Number.NEGATIVE_INFINITY;
    if (number <= smallest) continue;
    let place = found.length;
    while (place > 0 && (numbers[found[place - 1] ?? 0] ?? 0) < number) place -= 1;
    found.splice(place, 0, index);
    if (found.length > count) found.pop();
    if (found.length === count) smallest = numbers[found[count - 1] ?? 0] ?? smallest;
  }
  return found;
}
