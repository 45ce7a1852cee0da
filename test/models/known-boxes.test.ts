import { describe, expect, test } from 'vitest';
import { taskConfigMistakes } from '../../src/core/task-config.ts';
import { knownBoxes, surestBoxesConfig } from '../../src/models/known-boxes.ts';

const detections = (scores: readonly number[]): Parameters<typeof knownBoxes>[0] => ({
  kind: 'detections',
  boxes: scores.map((_, index) => [index, 0, index + 1, 1]),
  labels: scores.map((_, index) => `label ${index}`),
  scores: [...scores],
});

test('a detector is asked for what its task allows', () => {
  expect(taskConfigMistakes('object-detection', surestBoxesConfig)).toEqual([]);
});

describe('the known boxes are those above the widest gap', () => {
  test.each<[string, readonly number[], number, number]>([
    ['two things and their echoes', [0.9, 0.8, 0.2, 0.1], 2, 0.5],
    ['one thing', [0.9, 0.1, 0.05], 1, 0.5],
    ['nothing that stands out', [0.004, 0.0039, 0.0038], 3, 0.0019],
    ['of equal gaps, the surest', [0.75, 0.5, 0.25], 1, 0.63],
    ['a gap that two digits do not show', [0.50001, 0.5], 2, 0.25],
    ['more than are known', Array.from({ length: 11 }, (_, index) => (index === 10 ? 0.5 : 0.99)), 10, 0.74],
  ])('%s', (_, scores, count, threshold) => {
    const found = knownBoxes(detections(scores));
    expect(found).toEqual({ threshold: expect.closeTo(threshold, 2) as number, output: detections(scores.slice(0, count)) });
    expect(scores.filter((score) => score > found.threshold)).toHaveLength(count);
  });

  test('and no more than the model tells', () => {
    const { threshold, output } = knownBoxes(detections([0.9, 0.8, 0.2]), 1);
    expect(output.scores).toEqual([0.9]);
    expect(threshold).toBeGreaterThan(0.8);
  });

  test('of an image without any, nothing', () => {
    expect(knownBoxes(detections([]))).toEqual({ threshold: 0.5, output: detections([]) });
  });
});
