import { expect, test } from 'vitest';
import { comparePartitions, contradiction } from '../../../bench/dbscan/comparison.ts';

const labels = (clusters: readonly number[], cores: readonly number[]) => ({ clusters: Int32Array.from(clusters), cores: Uint8Array.from(cores) });

test('partitions are compared on cores, whatever the clusters are called', () => {
  const ours = labels([0, 0, 1, 1, 0, -1], [1, 1, 1, 1, 0, 0]);
  const renamed = labels([7, 7, 3, 3, 3, -1], [1, 1, 1, 1, 0, 0]);
  expect(comparePartitions(ours, renamed, true)).toEqual({ coresOfOneSide: 0, clustersAcross: 0 });
});

test('a cluster whose cores are in two of the other side is found, from either side', () => {
  const together = labels([0, 0, 0], [1, 1, 1]);
  const apart = labels([0, 1, 1], [1, 1, 1]);
  expect(comparePartitions(together, apart, true).clustersAcross).toBe(1);
  expect(comparePartitions(apart, together, true).clustersAcross).toBe(1);
});

test('a core of one side alone is counted, unless the other side tells no cores', () => {
  const ours = labels([0, 0], [1, 1]);
  const theirs = labels([0, 0], [1, 0]);
  expect(comparePartitions(ours, theirs, true)).toEqual({ coresOfOneSide: 1, clustersAcross: 0 });
  expect(comparePartitions(ours, theirs, false)).toEqual({ coresOfOneSide: 0, clustersAcross: 0 });
});

const place = (point: number): number => point;
const certain = (point: number, near: readonly number[], possibleCount = near.length) => ({ point, certain: near, possibleCount });

test('hits that agree with the labels contradict nothing, nor do those that rounding may have brought', () => {
  const held = labels([0, 0, 0, -1], [1, 1, 0, 0]);
  expect(contradiction([certain(0, [0, 1, 2]), certain(3, [3], 3)], held, place, 3)).toBeUndefined();
});

test('labels are contradicted by a core without neighbours, by neighbours without a core, by a pair in two clusters, by what is not there', () => {
  expect(contradiction([certain(0, [0])], labels([0], [1]), place, 2)).toMatch('is a core');
  expect(contradiction([certain(0, [0, 1])], labels([-1, -1], [0, 0]), place, 2)).toMatch('is no core');
  expect(contradiction([certain(0, [0, 1])], labels([0, 1], [1, 1]), place, 2)).toMatch('in two clusters');
  expect(contradiction([certain(0, [0])], labels([-2], [0]), place, 2)).toMatch('not there');
});
