import { describe, expect, test } from 'vitest';
import { placeOnImage, resizePlan, type ResizeRule } from '../../../../src/models/preprocessing/image/image-geometry.ts';

type Pair = readonly [width: number, height: number];

const size = ([width, height]: Pair): { width: number; height: number } => ({ width, height });

describe('resizePlan', () => {
  // [image], shorter side, [target], [resized], [left, top]: by the formulas of torchvision's Resize and CenterCrop.
  test.each<[Pair, number | undefined, Pair, Pair, Pair]>([
    [[640, 480], 256, [224, 224], [341, 256], [58, 16]],
    [[480, 640], 256, [224, 224], [256, 341], [16, 58]],
    [[500, 375], 256, [224, 224], [341, 256], [58, 16]],
    [[257, 257], 257, [224, 224], [257, 257], [16, 16]],
    [[259, 300], 259, [224, 224], [259, 300], [18, 38]],
    [[333, 500], undefined, [224, 224], [224, 336], [0, 56]],
    [[100, 50], undefined, [30, 60], [120, 60], [45, 0]],
    [[224, 224], undefined, [224, 224], [224, 224], [0, 0]],
  ])('cover: %j, shorter side %s, to %j', (image, shorterSide, target, resized, corner) => {
    const plan = resizePlan(size(image), size(target), { rule: 'cover', shorterSide });
    expect(plan).toEqual({ resized: size(resized), area: { ...size(target), left: corner[0], top: corner[1] }, isPadded: false });
  });

  // As PIL.ImageOps.pad.
  test.each<[Pair, Pair, Pair, Pair]>([
    [[640, 480], [224, 224], [224, 168], [0, 28]],
    [[480, 640], [224, 224], [168, 224], [28, 0]],
    [[1, 4000], [224, 224], [1, 224], [112, 0]],
    [[9, 6], [21, 21], [21, 14], [0, 4]],
    [[8, 2], [10, 11], [10, 2], [0, 4]],
  ])('contain: %j to %j', (image, target, resized, corner) => {
    const plan = resizePlan(size(image), size(target), { rule: 'contain' });
    expect(plan).toEqual({ resized: size(resized), area: { ...size(resized), left: corner[0], top: corner[1] }, isPadded: true });
  });

  test('contain at the top left: what is beside the image is on the right and below', () => {
    const plan = resizePlan(size([640, 480]), size([416, 416]), { rule: 'contain', placement: 'top-left' });
    expect(plan).toEqual({ resized: size([416, 312]), area: { left: 0, top: 0, width: 416, height: 312 }, isPadded: true });
    expect(resizePlan(size([640, 480]), size([416, 416]), { rule: 'contain', placement: 'middle' }).area).toMatchObject({ left: 0, top: 52 });
  });

  test('what is cut out always lies within what was resized', () => {
    for (let width = 1; width < 60; width += 1) {
      for (let height = 1; height < 60; height += 1) {
        const { resized, area } = resizePlan(size([width, height]), size([13, 7]), { rule: 'cover' });
        expect([area.left >= 0, area.top >= 0, area.left + 13 <= resized.width, area.top + 7 <= resized.height, resized.width === 13 || resized.height === 7]).not.toContain(false);
        const inner = resizePlan(size([width, height]), size([13, 7]), { rule: 'contain' });
        expect([inner.area.left + inner.area.width <= 13, inner.area.top + inner.area.height <= 7, inner.area.left >= 0, inner.area.top >= 0]).not.toContain(false);
      }
    }
  });
});

describe('placeOnImage', () => {
  test.each<[ResizeRule, Pair, Pair]>([
    [{ rule: 'stretch' }, [0, 0], [40, 30]],
    [{ rule: 'contain' }, [0, 5], [40, 25]],
    [{ rule: 'contain', placement: 'top-left' }, [0, 0], [40, 20]],
  ])('%j: the corners of what is shown are those of the image', (rule, topLeft, bottomRight) => {
    const placed = placeOnImage(size([400, 200]), size([40, 30]), rule);
    expect(placed(...topLeft)).toEqual([0, 0]);
    expect(placed(...bottomRight)).toEqual([400, 200]);
  });

  test('of what is cut out: the middle is the middle, and the corners lie within', () => {
    const placed = placeOnImage(size([400, 200]), size([40, 40]), { rule: 'cover', shorterSide: 50 });
    expect(placed(20, 20)).toEqual([200, 100]);
    expect(placed(0, 0)).toEqual([120, 20]);
    expect(placed(40, 40)).toEqual([280, 180]);
  });
});
