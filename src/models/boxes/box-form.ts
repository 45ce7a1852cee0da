/**
 * How the graphs of detectors write boxes down. Many detectors share a form, so each is named after what it holds, and the image is what the graph sees, of `width` x `height` pixels:
 *
 *   grid-offsets (YOLOX): one output [batch, cells, 5 + labels]. The cells of one grid after the other, finest first, row by row; a grid of stride 8 has a cell for
 *   every 8 x 8 pixels.
 *     x, y                 of the middle of the box, from the corner of the cell, in strides
 *     width, height        logarithms of the sizes of the box, in strides
 *     objectness, classes  0 to 1 each; a score is the product of objectness and class
 *
 *   relative-corners (UltraFace): one output [batch, places, 4], xmin, ymin, xmax, ymax as shares of the image, and one [batch, places, 1 + labels], of scores of 0 to 1; the
 *   first class is the background.
 */
import { z } from 'zod';
import type { ImageSize } from '../preprocessing/image/image-geometry.ts';
import type { Corners } from './suppression.ts';

const output = z.string().min(1);

export const boxForm = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('grid-offsets'),
    output,
    /** Pixels from cell to cell, of each grid. */
    strides: z
      .array(z.int().min(1).max(1024))
      .min(1)
      .max(8)
      .refine((strides) => strides.every((stride, index) => index === 0 || stride > (strides[index - 1] ?? stride)), 'must rise, without repeats')
      .default([8, 16, 32]),
  }),
  z.strictObject({ kind: z.literal('relative-corners'), boxes: output, scores: output, places: z.int().min(1).max(1_000_000) }),
]);

export type BoxForm = z.infer<typeof boxForm>;

export type Guess = { /** Index among the labels. */ readonly label: number; readonly score: number };

/** Element i of `rows` is the row of one item in the output i. */
export type BoxReader = {
  readonly outputs: readonly { readonly name: string; /** Numbers for each place. */ readonly width: number }[];
  readonly places: number;
  /** The likeliest label of a place. */
  readonly guess: (rows: readonly Float32Array[], place: number) => Guess;
  /** In pixels of what the graph sees. */
  readonly corners: (rows: readonly Float32Array[], place: number) => Corners;
};

export function createBoxReader(form: BoxForm, seen: ImageSize, labels: number): BoxReader {
  return form.kind === 'grid-offsets' ? gridOffsets(form, seen, labels) : relativeCorners(form, seen, labels);
}

export function outputNames(form: BoxForm): readonly string[] {
  return form.kind === 'grid-offsets' ? [form.output] : [form.boxes, form.scores];
}

type Cell = { readonly column: number; readonly row: number; readonly stride: number };

/** Sizes are multiples of each stride, which the manifest is checked for. */
export function gridCells({ width, height }: ImageSize, strides: readonly number[]): readonly Cell[] {
  return strides.flatMap((stride) => {
    const columns = Math.floor(width / stride);
    return Array.from({ length: columns * Math.floor(height / stride) }, (_, cell): Cell => ({ column: cell % columns, row: Math.floor(cell / columns), stride }));
  });
}

/** Of a cell, before its classes: the box and its objectness. */
export const gridNumbersBeforeClasses = 5;

function gridOffsets({ output: name, strides }: Extract<BoxForm, { kind: 'grid-offsets' }>, seen: ImageSize, labels: number): BoxReader {
  const cells = gridCells(seen, strides);
  const width = gridNumbersBeforeClasses + labels;
  return {
    outputs: [{ name, width }],
    places: cells.length,
    guess: ([row = none], place) => {
      const { label, score } = highest(row, place * width + gridNumbersBeforeClasses, labels);
      return { label, score: score * at(row, place * width + 4) };
    },
    corners: ([row = none], place) => {
      const { column, row: line, stride } = cells[place] ?? { column: Number.NaN, row: Number.NaN, stride: Number.NaN };
      const start = place * width;
      const [x, y] = [(column + at(row, start)) * stride, (line + at(row, start + 1)) * stride];
      const [across, along] = [Math.exp(at(row, start + 2)) * stride, Math.exp(at(row, start + 3)) * stride];
      return [x - across / 2, y - along / 2, x + across / 2, y + along / 2];
    },
  };
}

function relativeCorners({ boxes, scores, places }: Extract<BoxForm, { kind: 'relative-corners' }>, seen: ImageSize, labels: number): BoxReader {
  const width = 1 + labels;
  return {
    outputs: [{ name: boxes, width: 4 }, { name: scores, width }],
    places,
    guess: ([, row = none], place) => highest(row, place * width + 1, labels),
    corners: ([row = none], place) => [at(row, 4 * place) * seen.width, at(row, 4 * place + 1) * seen.height, at(row, 4 * place + 2) * seen.width, at(row, 4 * place + 3) * seen.height],
  };
}

const none = new Float32Array();

function at(row: Float32Array, index: number): number {
  return row[index] ?? Number.NaN;
}

/** The first one of equal ones. */
function highest(row: Float32Array, start: number, labels: number): Guess {
  let label = 0;
  for (let index = 1; index < labels; index += 1) if (at(row, start + index) > at(row, start + label)) label = index;
  return { label, score: at(row, start + label) };
}
