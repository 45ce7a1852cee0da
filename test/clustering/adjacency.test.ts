/** The graph against sets of neighbours, under edges and removals at random. */
import { expect, test } from 'vitest';
import {
  addEdge, adjacencyBytes, appendNeighbours, createAdjacency, createIntList, dropList, hasMarkedNeighbour, pushInt, readNeighbours, removeEdges, restoreNeighbours, someNeighbours, tidyList, type Adjacency,
} from '../../src/clustering/structure/adjacency.ts';
import { createPoints, openPoint, pointFlags } from '../../src/clustering/structure/points.ts';
import { createRandom } from './random.ts';
import { seed } from './run-scenario.ts';

function neighboursOf(adjacency: Adjacency, point: number): number[] {
  const list = createIntList();
  readNeighbours(adjacency, point, list);
  return [...list.values.subarray(0, list.length)].sort((left, right) => left - right);
}

function remove(adjacency: Adjacency, point: number): void {
  const list = createIntList();
  readNeighbours(adjacency, point, list);
  removeEdges(adjacency, point, list);
}

test(`equals sets of neighbours (seed ${seed})`, () => {
  const random = createRandom(seed);
  const points = createPoints();
  const adjacency = createAdjacency(points);
  const expected = new Map<number, Set<number>>();
  const free = Array.from({ length: 300 }, (_, point) => point);
  let edgeCount = 0;
  for (let step = 0; step < 4000; step++) {
    if (free.length > 0 && (expected.size < 60 || random.chance(0.55))) {
      const point = free.splice(random.below(free.length), 1)[0]!;
      openPoint(points, point);
      const near = [...expected.keys()].filter(() => random.chance(step % 100 < 50 ? 0.9 : 0.1));
      expected.set(point, new Set(near));
      for (const other of random.shuffle(near)) {
        addEdge(adjacency, point, other);
        expected.get(other)!.add(point);
      }
      edgeCount += near.length;
    } else {
      const point = random.pick([...expected.keys()]);
      remove(adjacency, point);
      for (const other of expected.get(point)!) expected.get(other)!.delete(point);
      edgeCount -= expected.get(point)!.size;
      expected.delete(point);
      free.push(point);
      expect(neighboursOf(adjacency, point)).toEqual([]);
    }
    const watched = random.pick([...expected.keys()]);
    expect(neighboursOf(adjacency, watched)).toEqual([...expected.get(watched)!].sort((left, right) => left - right));
    expect(adjacency.edgeCount).toBe(edgeCount);
  }
  for (const [point, near] of expected) expect(neighboursOf(adjacency, point)).toEqual([...near].sort((left, right) => left - right));
});

test(`the same with numbers of all sizes, which pages of several kinds hold (seed ${seed})`, () => {
  const random = createRandom(seed);
  // Of 65,536 points each, and none between them.
  const blocks = [0, 3, 4, 15, 16, 255, 256, 300];
  const points = createPoints();
  for (const block of blocks) points.records.chunks[block] = new Int32Array(8 * 65_536).fill(-1);
  points.flags = new Uint8Array(301 * 65_536);
  points.marks = new Uint8Array(301 * 65_536);
  const adjacency = createAdjacency(points);
  const expected = new Map<number, Set<number>>();
  const kinds = new Set<number>();
  for (let step = 0; step < 3000; step++) {
    // Later points have greater numbers, as far as they are not others' before.
    const block = blocks[Math.min(random.below(2 + Math.floor(step / 300)), blocks.length - 1)]!;
    const point = block * 65_536 + random.below(65_536);
    if ((expected.size < 80 || random.chance(0.5)) && !expected.has(point)) {
      const near = [...expected.keys()].filter(() => random.chance(0.8));
      expected.set(point, new Set(near));
      for (const other of random.shuffle(near)) {
        addEdge(adjacency, point, other);
        expected.get(other)!.add(point);
      }
    } else {
      const gone = random.pick([...expected.keys()]);
      if (random.chance(0.5)) remove(adjacency, gone);
      else {
        for (const other of expected.get(gone)!) points.flags[other] = pointFlags.stale;
        dropList(adjacency, gone, expected.get(gone)!.size);
        points.flags[gone] = pointFlags.gone;
        for (const other of expected.get(gone)!) if (random.chance(0.7)) tidyList(adjacency, other);
      }
      for (const other of expected.get(gone)!) expected.get(other)!.delete(gone);
      expected.delete(gone);
      if (points.flags[gone] === pointFlags.gone) {
        for (const other of expected.keys()) if (points.flags[other] === pointFlags.stale) tidyList(adjacency, other);
        points.flags[gone] = pointFlags.none;
      }
    }
    kinds.add(adjacency.kind);
    const watched = random.pick([...expected.keys()]);
    const list = [...expected.get(watched)!].sort((left, right) => left - right);
    expect(neighboursOf(adjacency, watched)).toEqual(list);
    expect(someNeighbours(adjacency, watched, 1000).sort((left, right) => left - right)).toEqual(list);
    const marked = random.pick([...expected.keys()]);
    points.marks[marked] = 1;
    expect(hasMarkedNeighbour(adjacency, watched, 1)).toBe(expected.get(watched)!.has(marked));
    points.marks[marked] = 0;
  }
  expect([...kinds]).toEqual([0, 1, 2, 3]);
});

test('a list put in at once is the list', () => {
  const points = createPoints();
  const adjacency = createAdjacency(points);
  openPoint(points, 0);
  openPoint(points, 1);
  const numbers = Int32Array.from({ length: 500 }, (_, index) => (index % 97 === 96 ? 2 ** 27 + index : index % 31 === 30 ? 300_000 + index : index + 2));
  appendNeighbours(adjacency, 0, numbers, 3, 500);
  appendNeighbours(adjacency, 1, numbers, 0, 0);
  expect(neighboursOf(adjacency, 0)).toEqual([...numbers.slice(3)].sort((left, right) => left - right));
  expect(neighboursOf(adjacency, 1)).toEqual([]);
});

test(`a list that is restored, whole or in parts, is what appending from its last number to its first makes of it (seed ${seed})`, () => {
  const random = createRandom(seed);
  const [points, otherPoints] = [createPoints(), createPoints()];
  const [restored, appended] = [createAdjacency(points), createAdjacency(otherPoints)];
  const orderIn = (adjacency: Adjacency, point: number): number[] => {
    const list = createIntList();
    readNeighbours(adjacency, point, list);
    return [...list.values.subarray(0, list.length)];
  };
  const kinds = new Set<number>();
  for (let point = 0; point < 400; point++) {
    openPoint(points, point);
    openPoint(otherPoints, point);
    // Pages are used again, with whatever is on them.
    if (point > 10 && random.chance(0.3)) for (const adjacency of [restored, appended]) dropList(adjacency, point - 10, 0);
    const greatest = [2 ** 18, 2 ** 20, 2 ** 24, 2 ** 30][Math.floor(point / 100)]!;
    const whole: number[] = [];
    for (let part = random.between(0, 3); part > 0; part--) {
      const numbers = Int32Array.from({ length: random.between(0, 90) }, () => random.below(random.chance(0.5) ? greatest : 2 ** 17));
      // Between others, as in a chunk.
      const chunk = Int32Array.from([7, ...numbers, 9]);
      restoreNeighbours(restored, point, chunk, { start: 1, end: chunk.length - 1 }, numbers.reduce((all, number) => all | number, 0));
      const turned = numbers.toReversed();
      appendNeighbours(appended, point, turned, 0, turned.length);
      whole.unshift(...numbers);
    }
    expect(orderIn(restored, point)).toEqual(whole);
    expect(orderIn(restored, point)).toEqual(orderIn(appended, point));
    expect(adjacencyBytes(restored)).toBe(adjacencyBytes(appended));
    kinds.add(restored.kind);
  }
  expect([...kinds]).toEqual([0, 1, 2, 3]);
});

test('pages are used again: a graph that comes and goes takes no more memory than at first', () => {
  const points = createPoints();
  const adjacency = createAdjacency(points);
  const fill = (): void => {
    for (let point = 0; point < 200; point++) {
      openPoint(points, point);
      for (let other = 0; other < point; other++) addEdge(adjacency, point, other);
    }
  };
  fill();
  const bytes = adjacencyBytes(adjacency);
  for (let round = 0; round < 5; round++) {
    for (let point = 0; point < 200; point++) remove(adjacency, point);
    fill();
    expect(adjacencyBytes(adjacency)).toBe(bytes);
  }
  expect(neighboursOf(adjacency, 7)).toHaveLength(199);
});

test('a list of integers grows as needed', () => {
  const list = createIntList();
  for (let value = 0; value < 1000; value++) pushInt(list, value);
  expect(list.length).toBe(1000);
  expect(list.values[999]).toBe(999);
});
