import { describe, expect, test } from 'vitest';
import { boxForm, createBoxReader, gridCells, outputNames } from '../../../src/models/boxes/box-form.ts';

describe('grid-offsets', () => {
  const form = boxForm.parse({ kind: 'grid-offsets', output: 'o', strides: [8, 16] });
  const reader = createBoxReader(form, { width: 32, height: 16 }, 3);

  test('has the cells of the finest grid first, row by row', () => {
    expect(gridCells({ width: 32, height: 16 }, [8, 16])).toEqual([
      ...[0, 1].flatMap((row) => [0, 1, 2, 3].map((column) => ({ column, row, stride: 8 }))),
      { column: 0, row: 0, stride: 16 },
      { column: 1, row: 0, stride: 16 },
    ]);
    expect(reader).toMatchObject({ places: 10, outputs: [{ name: 'o', width: 8 }] });
    expect(outputNames(form)).toEqual(['o']);
  });

  test('a box lies around its middle, in strides from its cell; its score is the product of objectness and class', () => {
    const row = new Float32Array(80);
    // Cell 6: third column, second row of the grid of 8.
    row.set([0.5, 0.25, Math.log(2), Math.log(0.5), 0.5, 0.125, 0.75, 0.75], 6 * 8);
    // Cell 9: second column of the grid of 16.
    row.set([0, 0, 0, 0, 1, 0.25, 0.125, 0], 9 * 8);
    expect(reader.guess([row], 6)).toEqual({ label: 1, score: 0.375 });
    expect(reader.corners([row], 6).map((corner) => Math.round(corner * 1e4) / 1e4)).toEqual([20 - 8, 10 - 2, 20 + 8, 10 + 2]);
    expect(reader.guess([row], 9)).toEqual({ label: 0, score: 0.25 });
    expect(reader.corners([row], 9)).toEqual([8, -8, 24, 8]);
  });

  test('three grids are those of YOLOX', () => {
    const usual = boxForm.parse({ kind: 'grid-offsets', output: 'o' });
    expect(createBoxReader(usual, { width: 416, height: 416 }, 80)).toMatchObject({ places: 3549, outputs: [{ width: 85 }] });
    expect(createBoxReader(usual, { width: 640, height: 640 }, 80).places).toBe(8400);
  });

  test.each([[[]], [[8, 8]], [[16, 8]], [[0]], [[1.5]]])('refuses the strides %j', (strides) => {
    expect(boxForm.safeParse({ kind: 'grid-offsets', output: 'o', strides }).success).toBe(false);
  });
});

describe('relative-corners', () => {
  const reader = createBoxReader({ kind: 'relative-corners', boxes: 'b', scores: 's', places: 2 }, { width: 320, height: 240 }, 2);
  const rows = [Float32Array.of(0, 0, 1, 1, 0.25, 0.5, 0.75, 1.5), Float32Array.of(0.9, 0.05, 0.0625, 0.125, 0.5, 0.25)];

  test('reads corners as shares of the image, and passes the background over', () => {
    expect(reader).toMatchObject({ places: 2, outputs: [{ name: 'b', width: 4 }, { name: 's', width: 3 }] });
    expect(reader.guess(rows, 0)).toEqual({ label: 1, score: 0.0625 });
    expect(reader.guess(rows, 1)).toEqual({ label: 0, score: 0.5 });
    expect(reader.corners(rows, 1)).toEqual([80, 120, 240, 360]);
  });
});
