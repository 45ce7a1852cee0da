/** From boxes and logits, as detectors give them, to what is told of an image. */
import type { DetectionConfig } from '../../core/task-config.ts';
import { suppressed, surest, type Corners } from '../boxes/suppression.ts';
import type { Box, ModelAnswer } from '../model-port.ts';
import type { ImageSize } from '../preprocessing/image/image-geometry.ts';

export type Candidate = {
  readonly label: string;
  readonly score: number;
  /** Middle, width and height, as shares of the image. */
  readonly box: readonly [x: number, y: number, width: number, height: number];
};

/**
 * Those above the threshold, the surest first, others in their order; all of them, unless the config says how much they may overlap, or how many there may be. Corners are cut off to
 * whole pixels, as in Python; they may lie outside.
 */
export function detectionsOf(candidates: readonly Candidate[], { threshold, nms_threshold: overlapMax, top_k: boxesMax }: DetectionConfig & { readonly threshold: number }, { width, height }: ImageSize): ModelAnswer {
  const found = surest(candidates, threshold).map(({ label, score, box: [x, y, across, along] }) => {
    const corners: Corners = [(x - across / 2) * width, (y - along / 2) * height, (x + across / 2) * width, (y + along / 2) * height];
    return { label, score, corners };
  });
  const told = suppressed(found, { overlapMax, boxesMax });
  const boxes = told.map(({ corners: [xmin, ymin, xmax, ymax] }): Box => [wholePixels(xmin), wholePixels(ymin), wholePixels(xmax), wholePixels(ymax)]);
  return { kind: 'detections', boxes, labels: told.map(({ label }) => label), scores: told.map(({ score }) => score) };
}

/** Without a negative zero. */
function wholePixels(value: number): number {
  return Math.trunc(value) + 0;
}
