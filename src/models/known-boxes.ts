/**
 * The known answers of a detector that is imported. On images that hold nothing of what it was made for it tells nothing, and nothing is no proof: so it is
 * asked for its surest boxes, whatever their scores, and of these as many are known as stand clear of each other and of what follows, so that another processor,
 * whose last bits differ, finds the same ones in the same order.
 */
import type { KnownDetections } from './manifest-parts.ts';
import type { KnownOutput } from './transformers/transformer-manifest.ts';

const boxesKnownMax = 10;

/** One box more than is known, for the gap behind the last one. */
export const surestBoxesConfig = { threshold: 0, top_k: boxesKnownMax + 1 };

export type KnownBoxLimits = {
  /** How far a score may be off. */
  readonly tolerance: number;
  /** How many the model tells at most. */
  readonly boxesMax?: number | undefined;
};

/** @param found The surest first. @returns what of its surest boxes is known, perhaps nothing, and under which threshold the model tells just these. */
export function knownBoxes({ boxes, labels, scores }: KnownDetections, { tolerance, boxesMax = boxesKnownMax }: KnownBoxLimits): { readonly threshold: number; readonly output: KnownDetections } {
  const at = (index: number): number => scores[index] ?? 0;
  let count = 0;
  // Both may be off, and in both directions; the threshold lies between.
  while (count < Math.min(scores.length, boxesKnownMax, boxesMax) && at(count) - at(count + 1) > 4 * tolerance) count += 1;
  const last = scores[count - 1];
  const threshold = last === undefined ? Math.min(1, Math.max(between(at(0), 1), at(0) + 4 * tolerance)) : between(at(count), last);
  return { threshold, output: { kind: 'detections', boxes: boxes.slice(0, count), labels: labels.slice(0, count), scores: scores.slice(0, count) } };
}

/** Half-way, in as few digits as stay near it. */
function between(low: number, high: number): number {
  const middle = (low + high) / 2;
  const short = Number(middle.toPrecision(2));
  return short - low > (high - low) / 4 && high - short > (high - low) / 4 ? short : middle;
}

/** What is told of a detector of whose boxes none is known. */
export function knownBoxNotes(outputs: readonly (readonly number[] | KnownOutput)[]): readonly string[] {
  const isBlank = outputs.every((output) => 'kind' in output && output.kind === 'detections' && output.boxes.length === 0);
  return isBlank ? ['of its known inputs no box stands clear of the others, which proves little: name images with --known-input on which it finds something'] : [];
}
