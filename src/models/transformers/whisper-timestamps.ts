/**
 * The grammar of Whisper's timestamps, as `generate` of transformers 4.57 has it. A window is written as
 *
 *   <|0.24|> text <|1.30|><|1.30|> text <|4.00|> ...
 *
 * Two timestamps in a row end a segment and begin the next; one alone at the end says that nothing is said behind it.
 */
import type { AdjustLogits } from './generation/decoder.ts';

export type TimestampRules = {
  /** The token of 0.00 s; each later one is 20 ms further. */
  readonly beginId: number;
  readonly endId: number;
  readonly noTimestampsId: number;
  /** Steps of 20 ms that may be left out at the beginning. */
  readonly firstMax: number | undefined;
};

export const secondsPerTimestamp = 0.02;

export function allowTimestamps({ beginId, endId, noTimestampsId, firstMax }: TimestampRules): AdjustLogits {
  return (logits, tokens) => {
    const forbid = (from: number, to: number): void => void logits.fill(Number.NEGATIVE_INFINITY, Math.max(0, from), Math.max(0, to));
    const isTimestamp = (token: number | undefined): boolean => token !== undefined && token >= beginId;
    logits[noTimestampsId] = Number.NEGATIVE_INFINITY;
    const lastIs = isTimestamp(tokens.at(-1));
    const isPair = lastIs && (tokens.length < 2 || isTimestamp(tokens.at(-2)));
    if (isPair) forbid(beginId, logits.length);
    else if (lastIs) forbid(0, endId);
    const latest = tokens.findLast(isTimestamp);
    // Time goes on; the second of a pair may repeat the first.
    if (latest !== undefined) forbid(beginId, lastIs && !isPair ? latest : latest + 1);
    if (tokens.length === 0) {
      forbid(0, beginId);
      if (firstMax !== undefined) forbid(beginId + firstMax + 1, logits.length);
    }
    if (isTimestampLikelier(logits, beginId)) forbid(0, beginId);
  };
}

/** Whether all timestamps together are likelier than any one word. */
function isTimestampLikelier(logits: Float32Array, beginId: number): boolean {
  let word = Number.NEGATIVE_INFINITY;
  let stamp = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id += 1) {
    const logit = logits[id] ?? Number.NEGATIVE_INFINITY;
    if (id < beginId) word = Math.max(word, logit);
    else stamp = Math.max(stamp, logit);
  }
  if (stamp === Number.NEGATIVE_INFINITY) return false;
  let total = 0;
  for (let id = beginId; id < logits.length; id += 1) total += Math.exp((logits[id] ?? Number.NEGATIVE_INFINITY) - stamp);
  return stamp + Math.log(total) > word;
}

export type WindowSegment = {
  /** In steps of 20 ms from the beginning of the window. */
  readonly start: number;
  readonly end: number;
  readonly tokens: readonly number[];
};

export type WindowReading = {
  readonly segments: readonly WindowSegment[];
  /** Frames of 10 ms that are told of; what is behind them is read again in the next window. */
  readonly frames: number;
};

const framesPerTimestamp = 2;

/** Where a window without timestamps ends, in steps of 20 ms. Python counts in float32, by which some lengths come out one step earlier. */
function endOf(frameCount: number): number {
  const seconds = Math.fround(frameCount * Math.fround(0.01));
  return Math.trunc(Math.fround(seconds / Math.fround(secondsPerTimestamp)));
}

/** @param tokens of one window, without the end. @param frameCount of the window that are not filling. */
export function readWindow(tokens: readonly number[], frameCount: number, beginId: number): WindowReading {
  const isTimestamp = (token: number | undefined): boolean => token !== undefined && token >= beginId;
  const ends = tokens.flatMap((token, index) => (index > 0 && isTimestamp(token) && isTimestamp(tokens[index - 1]) ? [index] : []));
  if (ends.length === 0) {
    const latest = tokens.findLast(isTimestamp);
    const end = latest !== undefined && latest !== beginId ? latest - beginId : endOf(frameCount);
    return { segments: [{ start: 0, end, tokens }], frames: frameCount };
  }
  const isSingleEnding = isTimestamp(tokens.at(-1)) && !isTimestamp(tokens.at(-2));
  // The last one of those that go on keeps the timestamp behind it.
  const cuts = isSingleEnding ? [...ends, tokens.length] : [...ends.slice(0, -1), (ends.at(-1) ?? 0) + 1];
  const segments = cuts.map((cut, index): WindowSegment => {
    const part = tokens.slice(cuts[index - 1] ?? 0, cut);
    const last = part.at(index < cuts.length - 1 || isSingleEnding ? -1 : -2) ?? beginId;
    return { start: (part[0] ?? beginId) - beginId, end: last - beginId, tokens: part };
  });
  if (isSingleEnding) return { segments, frames: frameCount };
  return { segments, frames: ((tokens[(cuts.at(-1) ?? 0) - 2] ?? beginId) - beginId) * framesPerTimestamp };
}
