/**
 * The known answers of a detector that is imported. On images that hold nothing of what it was made for it tells nothing, and nothing is no proof: so it is
 * asked for its surest boxes, whatever their scores, and the threshold of the known input lies in the widest gap between them, where another processor's last bits do not
 * decide what is told.
 */
import type { KnownDetections } from './manifest-parts.ts';

const boxesKnownMax = 10;

/** One box more than is known, for the gap behind the last one. */
export const surestBoxesConfig = { threshold: 0, top_k: boxesKnownMax + 1 };

/** @param boxesMax how many the model tells at most. @returns what of its surest boxes is known, and under which threshold the model tells just these. */
export function knownBoxes({ boxes, labels, scores }: KnownDetections, boxesMax = boxesKnownMax): { readonly threshold: number; readonly output: KnownDetections } {
  let count = 0;
  let widest = 0;
  for (let index = 0; index < Math.min(scores.length, boxesKnownMax, boxesMax); index += 1) {
    const gap = (scores[index] ?? 0) - (scores[index + 1] ?? 0);
    if (gap <= widest) continue;
    widest = gap;
    count = index + 1;
  }
  const threshold = between(scores[count] ?? 0, scores[count - 1] ?? 1);
  return { threshold, output: { kind: 'detections', boxes: boxes.slice(0, count), labels: labels.slice(0, count), scores: scores.slice(0, count) } };
}

/** Half-way, in as few digits as stay near it. */
function between(low: number, high: number): number {
  const middle = (low + high) / 2;
  const short = Number(middle.toPrecision(2));
  return short > low && short < high ? short : middle;
}
