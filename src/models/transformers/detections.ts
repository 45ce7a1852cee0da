/** From boxes and logits, as detectors give them, to what is told of an image. */
import type { Box, ModelAnswer } from '../model-port.ts';
import type { ImageSize } from '../preprocessing/image/image-geometry.ts';

export type Candidate = {
  readonly label: string;
  readonly score: number;
  /** Middle, width and height, as shares of the image. */
  readonly box: readonly [x: number, y: number, width: number, height: number];
};

/** Those above the threshold, the surest first, others in their order. Corners are cut off to whole pixels, as in Python; they may lie outside. */
export function detectionsOf(candidates: readonly Candidate[], threshold: number, { width, height }: ImageSize): ModelAnswer {
  const found = candidates.filter(({ score }) => score > threshold).sort((left, right) => right.score - left.score);
  const boxes = found.map(({ box: [x, y, across, along] }): Box => {
    const corners = [(x - across / 2) * width, (y - along / 2) * height, (x + across / 2) * width, (y + along / 2) * height].map(wholePixels);
    return [corners[0] ?? 0, corners[1] ?? 0, corners[2] ?? 0, corners[3] ?? 0];
  });
  return { kind: 'detections', boxes, labels: found.map(({ label }) => label), scores: found.map(({ score }) => score) };
}

/** Without a negative zero. */
function wholePixels(value: number): number {
  return Math.trunc(value) + 0;
}
