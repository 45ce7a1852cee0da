/** From the rows of a detector for one image to what is told of it: boxes in whole pixels of the upright image as it came, the surest first. */
import type { DetectionConfig } from '../../core/task-config.ts';
import { modelError } from '../../core/errors/model.ts';
import type { Box, ModelAnswer } from '../model-port.ts';
import { placeOnImage, type ImageSize, type ResizeRule } from '../preprocessing/image/image-geometry.ts';
import type { BoxReader } from './box-form.ts';
import { candidatesMax, suppressed, surest, type BoxLimits, type Corners } from './suppression.ts';

/** How an image became what the graph sees. */
export type Seen = { readonly size: ImageSize; readonly resize: ResizeRule };

/** Of the manifest, where a config says nothing else. */
export type BoxSettings = Readonly<Record<keyof BoxLimits, number>>;

type Parts = {
  readonly reader: BoxReader;
  readonly labels: readonly string[];
  readonly seen: Seen;
  /** Of the image as it came. */
  readonly original: ImageSize;
  readonly limits: BoxSettings;
};

/**
 * A box stands for one label, the likeliest. Boxes are compared as the graph gives them, and cut off at the edges of the image afterwards; those that then hold no pixel are none.
 * Throws LS_MODEL_OUTPUT_NOT_FINITE where a corner is not.
 */
export function detectedBoxes(rows: readonly Float32Array[], { reader, labels, seen, original, limits }: Parts): ModelAnswer {
  const guesses = Array.from({ length: reader.places }, (_, place) => ({ ...reader.guess(rows, place), place }));
  const placed = placeOnImage(original, seen.size, seen.resize);
  const boxes = surest(guesses, limits.scoreMin)
    .slice(0, candidatesMax)
    .map(({ label, score, place }) => {
      const [xmin, ymin, xmax, ymax] = reader.corners(rows, place);
      const corners: Corners = [...placed(xmin, ymin), ...placed(xmax, ymax)];
      if (!corners.every(Number.isFinite)) throw modelError('LS_MODEL_OUTPUT_NOT_FINITE', `box ${place} has the corners ${corners.join(', ')}`, { place });
      return { label: labels[label] ?? String(label), score, corners, box: wholePixels(corners, original) };
    })
    .filter(({ box: [xmin, ymin, xmax, ymax] }) => xmax > xmin && ymax > ymin);
  const told = suppressed(boxes, limits);
  return { kind: 'detections', boxes: told.map(({ box }) => box), labels: told.map(({ label }) => label), scores: told.map(({ score }) => score) };
}

/** In the words of the task. */
export function limitsOf({ scoreMin, overlapMax, boxesMax }: BoxSettings, { threshold, nms_threshold: shared, top_k: most }: DetectionConfig): BoxSettings {
  return { scoreMin: threshold ?? scoreMin, overlapMax: shared ?? overlapMax, boxesMax: most ?? boxesMax };
}

/** Cut off, as those of other detectors are. */
function wholePixels([xmin, ymin, xmax, ymax]: Corners, { width, height }: ImageSize): Box {
  const within = (value: number, most: number): number => Math.trunc(Math.min(most, Math.max(0, value)));
  return [within(xmin, width), within(ymin, height), within(xmax, width), within(ymax, height)];
}
