/** The graph against sets of neighbours, under edges and removals at random. */
import { expect, test } from 'vitest';
import { addEdge, createGraph, neighboursOf, releaseSlots, removeEdgesTo } from '../../src/clustering/adjacency.ts';
import { createEngineState } from '../../src/clustering/engine-state.ts';
import type { Item } from '../../src/clustering/item.ts';
import { applyRecord, rebuildRecord } from '../../src/clustering/net-change.ts';
import { createItem } from '../../src/clustering/neighbourhoods.ts';
import { createRandom } from './random.ts';
import { identity, seed } from './run-scenario.ts';

test(`edges are those added and not removed, and slots are used again (seed ${seed})`, () => {
  const random = createRandom(seed);
  const graph = createGraph();
  const expected = new Map<Item, Set<Item>>();
  const liveMax = 40;
  for (let step = 0; step < 2000; step++) {
    if (expected.size < liveMax && random.chance(0.6)) {
      const entering = createItem(graph, `item ${step}`, Float32Array.of(step));
      const near = [...expected.keys()].filter(() => random.chance(0.7));
      for (const other of near) {
        addEdge(entering, other);
        expected.get(other)?.add(entering);
      }
      expected.set(entering, new Set(near));
    } else {
      const leaving = random.shuffle([...expected.keys()]).slice(0, random.between(1, 3));
      for (const item of leaving) {
        removeEdgesTo(item);
        // Its own side stays readable until the slots are given back.
        expect(new Set(neighboursOf(item))).toEqual(expected.get(item));
        for (const neighbours of expected.values()) neighbours.delete(item);
        expected.delete(item);
      }
      releaseSlots(graph, leaving);
    }
    for (const [item, neighbours] of expected) {
      const found = neighboursOf(item);
      expect(found.length).toBe(item.degree);
      expect(found.length === neighbours.size && found.every((other) => neighbours.has(other)), `step ${step}, ${item.itemId}`).toBe(true);
    }
  }
  expect(graph.slots.length).toBeLessThanOrEqual(liveMax);
});

test('what leaves a clustering gives its slot back, with each kind of record', () => {
  const parameters = { metric: 'euclidean', eps: 1, minPoints: 2 } as const;
  const state = createEngineState(parameters, identity);
  const insert = (itemId: string, place: number) => ({ kind: 'insert', itemId, vector: Float32Array.of(place) }) as const;
  for (let index = 0; index < 60; index += 3) {
    const remove = { kind: 'remove', itemId: 'b', told: false } as const;
    applyRecord(state, [insert('a', index), insert('b', 5)], BigInt(index));
    applyRecord(state, [remove], BigInt(index + 1));
    rebuildRecord(state, parameters, `g${index}`, [insert('a', 0), insert('b', 1)], BigInt(index + 2));
  }
  expect(state.items.size).toBe(2);
  expect(state.graph.slots.length).toBeLessThanOrEqual(4);
});
