import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { taskConfigMistakes } from '../../src/core/task-config.ts';
import { knownBoxes, knownBoxNotes, surestBoxesConfig } from '../../src/models/known-boxes.ts';

const detections = (scores: readonly number[]): Parameters<typeof knownBoxes>[0] => ({
  kind: 'detections',
  boxes: scores.map((_, index) => [index, 0, index + 1, 1]),
  labels: scores.map((_, index) => `label ${index}`),
  scores: [...scores],
});

test('a detector is asked for what its task allows', () => {
  expect(taskConfigMistakes('object-detection', surestBoxesConfig)).toEqual([]);
});

describe('the known boxes are those that stand clear of each other and of what follows', () => {
  test.each<[string, readonly number[], number, number]>([
    ['as many as stand clear', [0.9, 0.8, 0.7, 0.6999], 2, 0.75],
    ['one thing', [0.9, 0.1, 0.0999], 1, 0.5],
    ['of scores that are all low', [0.024, 0.012, 0.0119], 1, 0.018],
    ['none where the first two are alike, and may change places', [0.9, 0.8999, 0.1], 0, 0.95],
    ['none where nothing is found', [], 0, 0.5],
    ['no more than ten', Array.from({ length: 11 }, (_, index) => 0.99 - 0.05 * index), 10, 0.52],
  ])('%s', (_, scores, count, threshold) => {
    const found = knownBoxes(detections(scores), { tolerance: 0.001 });
    expect(found).toEqual({ threshold: expect.closeTo(threshold, 2) as number, output: detections(scores.slice(0, count)) });
    expect(scores.filter((score) => score > found.threshold)).toHaveLength(count);
  });

  test('and no more than the model tells', () => {
    const { threshold, output } = knownBoxes(detections([0.9, 0.8, 0.2]), { tolerance: 0.001, boxesMax: 1 });
    expect(output.scores).toEqual([0.9]);
    expect(threshold).toBeGreaterThan(0.8);
  });

  test('whatever another processor makes of them within their tolerance', () => {
    for (let seed = 1; seed <= 200; seed += 1) {
      const random = seededRandom(seed);
      const scores = Array.from({ length: 12 }, () => random() ** 2).sort((left, right) => right - left);
      const tolerance = 0.01 * random();
      const { threshold, output } = knownBoxes(detections(scores), { tolerance });
      const elsewhere = scores.map((score, index) => ({ index, score: Math.min(1, score + tolerance * (2 * random() - 1)) })).sort((left, right) => right.score - left.score);
      expect(elsewhere.filter(({ score }) => score > threshold).map(({ index }) => index), `seed ${seed}`).toEqual(output.scores.map((__, index) => index));
    }
  });
});

test('a detector of whose boxes none is known is told; another model is none', () => {
  expect(knownBoxNotes([detections([]), detections([])])).toHaveLength(1);
  expect(knownBoxNotes([detections([]), detections([0.9])])).toEqual([]);
  expect(knownBoxNotes([[1, 2], { kind: 'caption', text: '' }])).toEqual([]);
});
