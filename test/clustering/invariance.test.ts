/** The partition is a function of the live items alone (clustering.md, "Structure as a pure function of the live set"). */
import { describe, expect, test } from 'vitest';
import type { Clustering, Mutation } from '../../src/clustering/clustering.ts';
import { createClustering } from '../../src/clustering/incremental-dbscan.ts';
import { identity, isFull, mutate, perform, scenarioFor, seed, stepsOf } from './run-scenario.ts';
import { itemIdFor, type Live, type Scenario } from './scenarios.ts';
import type { Random } from './random.ts';

const scenarioCount = isFull ? 200 : 20;

/** Item -> its role and the lowest item it shares a cluster with, both under the names that `rename` gives: equal for equal partitions. */
function partition(clustering: Clustering, live: Live, rename: (itemId: string) => string = (itemId) => itemId): Map<string, string> {
  const places = new Map<string, string>();
  const lowest = new Map(clustering.clusters().map(({ clusterId, itemIds }) => [clusterId, itemIds.map(rename).sort()[0]]));
  for (const itemId of live.keys()) {
    const item = clustering.item(itemId);
    places.set(rename(itemId), `${item?.role ?? 'gone'} with ${lowest.get(item?.clusterId ?? '') ?? 'nobody'}`);
  }
  return new Map([...places].sort(([left], [right]) => (left < right ? -1 : 1)));
}

function liveAfter(scenario: Scenario, random: Random, clustering: Clustering, stepCount: number): { live: Map<string, Float32Array>; sequence: bigint } {
  const live = new Map<string, Float32Array>();
  let sequence = 0n;
  for (const numbered of stepsOf(scenario, random, stepCount, live)) {
    perform(clustering, numbered);
    mutate(live, numbered.step.mutations);
    ({ sequence } = numbered);
  }
  return { live, sequence };
}

describe(`the partition (seed ${seed})`, () => {
  test('is the same for permuted insertions under permuted ids', () => {
    for (let index = 0; index < scenarioCount; index++) {
      const { scenario, random } = scenarioFor(2000 + index);
      const evolved = createClustering(scenario.parameters, identity);
      const { live } = liveAfter(scenario, random, evolved, 30);
      const ids = [...live.keys()];
      const permuted = random.shuffle(ids);
      const newIds = new Map(ids.map((itemId, at) => [itemId, permuted[at] ?? itemId]));
      const fresh = createClustering(evolved.parameters, { ...identity, collection: 'other' });
      const renamed = new Map<string, Float32Array>();
      let sequence = 0n;
      for (const [itemId, vector] of random.shuffle([...live])) {
        const newId = newIds.get(itemId) ?? itemId;
        renamed.set(newId, vector);
        fresh.apply([{ kind: 'insert', itemId: newId, vector }], ++sequence);
      }
      const oldIds = new Map(Array.from(newIds, ([itemId, newId]) => [newId, itemId]));
      expect(partition(fresh, renamed, (newId) => oldIds.get(newId) ?? newId), `scenario ${index}`).toEqual(partition(evolved, live));
      expect(fresh.meanDegree()).toBe(evolved.meanDegree());
    }
  });

  test('is restored, with the adjacency, by inserting items and deleting them again, in one record or in many', () => {
    for (let index = 0; index < scenarioCount; index++) {
      const { scenario, random } = scenarioFor(3000 + index);
      const clustering = createClustering(scenario.parameters, identity);
      const evolved = liveAfter(scenario, random, clustering, 15);
      let { sequence } = evolved;
      const before = partition(clustering, evolved.live);
      const [degree, noise] = [clustering.meanDegree(), clustering.noiseCount()];
      const visitors = Array.from({ length: random.between(1, 30) }, (_, at): Mutation => {
        return { kind: 'insert', itemId: itemIdFor(1000 + at), vector: random.pick(scenario.places) };
      });
      const departures = random.shuffle(visitors).map(({ itemId }): Mutation => ({ kind: 'remove', itemId, told: false }));
      if (random.chance(0.5)) {
        clustering.apply(visitors, ++sequence);
        clustering.apply(departures, ++sequence);
      } else {
        for (const mutation of [...visitors, ...departures]) clustering.apply([mutation], ++sequence);
      }
      expect(partition(clustering, evolved.live), `scenario ${index}`).toEqual(before);
      expect(clustering.meanDegree()).toBe(degree);
      expect(clustering.noiseCount()).toBe(noise);
      expect(clustering.size).toBe(evolved.live.size);
    }
  });

  test('does not change when a record inserts an item and removes it again, and tells nothing', () => {
    const { scenario, random } = scenarioFor(4000);
    const clustering = createClustering(scenario.parameters, identity);
    const { live, sequence } = liveAfter(scenario, random, clustering, 10);
    const before = partition(clustering, live);
    const itemId = itemIdFor(1000);
    const change = clustering.apply(
      [{ kind: 'insert', itemId, vector: random.pick(scenario.places) }, { kind: 'remove', itemId, told: true }],
      sequence + 1n,
    );
    expect(change).toEqual({ transitions: [], assignments: [] });
    expect(partition(clustering, live)).toEqual(before);
  });
});
