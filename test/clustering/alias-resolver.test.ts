/** A consumer that follows both topics with the resolver knows what the engine knows, in whatever order and however often it reads them. */
import { describe, expect, test } from 'vitest';
import { createClusterResolver, type ClusterResolver } from '../../src/clustering/alias-resolver.ts';
import type { NetChange } from '../../src/clustering/clustering.ts';
import { createClustering } from '../../src/clustering/incremental-dbscan.ts';
import type { ClusterEvent, LabelEvent } from '../../src/core/events.generated.ts';
import { createRandom } from './random.ts';
import { identity, isFull, mutate, perform, scenarioFor, seed, stepsOf } from './run-scenario.ts';

type Label = Pick<LabelEvent, 'itemId' | 'revision' | 'result'>;
type Place = { readonly family?: string; readonly collection?: string; readonly epoch?: number; readonly generation?: string };

function label(itemId: string, clusterId: string | null, sequence: bigint, place: Place & { readonly role?: 'core' | 'removed' } = {}): Label {
  const { family = 'f', collection = 'c', epoch = 1, generation = 'g', role = 'core' } = place;
  const assignment = { family, collection, generation, clusterId, role, sequence };
  return { itemId, revision: { epoch, number: sequence }, result: { 'labelstream.v1.Assignment': assignment } };
}

function event(type: ClusterEvent['type'], sequence: bigint, fields: Partial<ClusterEvent> = {}): ClusterEvent {
  return {
    id: `${type} ${String(sequence)}`, family: 'f', collection: 'c', epoch: 1, generation: 'g', sequence, index: 0, type,
    survivor: null, retired: [], minted: [], sizes: [], name: null, cause: null, ...fields,
  };
}

const merged = (from: string, to: string, sequence: bigint, fields: Partial<ClusterEvent> = {}): ClusterEvent =>
  event('merged', sequence, { retired: [from], survivor: to, ...fields });

type Message = { readonly label: Label } | { readonly event: ClusterEvent };

function messagesOf({ transitions, assignments }: NetChange, sequence: bigint, generation: string): { labels: Message[]; events: Message[] } {
  return {
    labels: assignments.map(({ itemId, clusterId, role }) => {
      const told = label(itemId, clusterId, sequence, { generation });
      const assignment = 'labelstream.v1.Assignment' in told.result ? told.result['labelstream.v1.Assignment'] : undefined;
      return { label: { ...told, result: { 'labelstream.v1.Assignment': { ...assignment!, role } } } };
    }),
    events: transitions.map((transition, index) => ({ event: event(transition.type, sequence, { ...transition, index, generation }) })),
  };
}

function apply(resolver: ClusterResolver, message: Message): void {
  if ('label' in message) resolver.applyLabel(message.label);
  else resolver.applyClusterEvent(message.event);
}

describe('the cluster resolver', () => {
  test(`tracks the engine exactly, with the topics interleaved at random and repeats (seed ${seed})`, () => {
    let comparisons = 0;
    for (let index = 0; index < (isFull ? 100 : 15); index++) {
      const { scenario, random } = scenarioFor(5000 + index);
      const engine = createClustering(scenario.parameters, identity);
      let resolver = createClusterResolver();
      const live = new Map<string, Float32Array>();
      const labels: Message[] = [];
      const events: Message[] = [];
      const history: Message[] = [];
      for (const numbered of stepsOf(scenario, random, 60, live)) {
        const told = messagesOf(perform(engine, numbered), numbered.sequence, numbered.generation);
        mutate(live, numbered.step.mutations);
        labels.push(...told.labels);
        events.push(...told.events);
        // Either topic may lag behind by several records; both are compared once they are read to the end.
        const catchesUp = random.chance(0.4);
        while (labels.length + events.length > 0 && (catchesUp || random.chance(0.7))) {
          const topic = events.length === 0 || (labels.length > 0 && random.chance(0.5)) ? labels : events;
          const message = topic.shift()!;
          history.push(message);
          apply(resolver, message);
          if (random.chance(0.2)) apply(resolver, random.pick(history));
        }
        if (labels.length + events.length > 0) continue;
        for (const itemId of live.keys()) expect(resolver.clusterOf(itemId), itemId).toBe(engine.item(itemId)?.clusterId);
        // What left a window is told to nobody.
        expect(resolver.items().map(({ itemId }) => itemId)).toEqual(expect.arrayContaining([...live.keys()]));
        for (const { itemId, clusterId } of resolver.items()) expect(clusterId, itemId).toBe(resolver.clusterOf(itemId));
        comparisons++;
        if (random.chance(0.2)) resolver = createClusterResolver(resolver.save());
        if (random.chance(0.2)) {
          resolver.prune('f', { epoch: 1, sequence: numbered.sequence });
          history.length = 0;
        }
      }
    }
    expect(comparisons).toBeGreaterThan(300);
  });

  test('goes on from what it saved, and from nothing else', () => {
    const resolver = createClusterResolver();
    for (const message of [{ label: label('a', 'X', 1n) }, { event: merged('X', 'Y', 3n) }, { event: event('labelled', 4n, { survivor: 'Y', name: 'why' }) }]) apply(resolver, message);
    const restored = createClusterResolver(resolver.save());
    expect([restored.clusterOf('a'), restored.nameOf('Y')]).toEqual(['Y', 'why']);
    expect(restored.save()).toBe(resolver.save());
    // What was seen before is still seen.
    apply(restored, { label: label('a', 'Z', 1n) });
    expect(restored.items()).toEqual([{ itemId: 'a', family: 'f', collection: 'c', clusterId: 'Y' }]);
    for (const saved of ['', '{', '{}', '[]', 'null', resolver.save().replace('resolver 1', 'resolver 2')]) {
      expect(() => createClusterResolver(saved), saved).toThrow(expect.objectContaining({ code: 'LS_CLUSTERING_RESOLVER_STATE_INVALID' }));
    }
  });

  test('gives the same answer for every order of a few events', () => {
    const messages: Message[] = [
      { label: label('a', 'X', 1n) },
      { label: label('b', 'Y', 2n) },
      { event: merged('Y', 'X', 3n) },
      { label: label('b', null, 4n) },
      { event: merged('X', 'Z', 5n) },
      { label: label('c', 'Y', 2n) },
    ];
    const random = createRandom(seed);
    for (let run = 0; run < 200; run++) {
      const resolver = createClusterResolver();
      for (const message of random.shuffle([...messages, ...messages])) apply(resolver, message);
      expect(['a', 'b', 'c', 'd'].map((itemId) => resolver.clusterOf(itemId))).toEqual(['Z', null, 'Z', undefined]);
    }
  });

  test('applies to an assignment only the aliases with a higher sequence', () => {
    const resolver = createClusterResolver();
    resolver.applyClusterEvent(merged('X', 'Y', 3n));
    resolver.applyLabel(label('before', 'X', 2n));
    resolver.applyLabel(label('same', 'X', 3n));
    resolver.applyLabel(label('after', 'X', 4n));
    expect(['before', 'same', 'after'].map((itemId) => resolver.clusterOf(itemId))).toEqual(['Y', 'X', 'X']);
  });

  test('orders by epoch before sequence', () => {
    const resolver = createClusterResolver();
    resolver.applyLabel(label('a', 'X', 900n, { epoch: 1 }));
    resolver.applyClusterEvent(merged('X', 'Y', 3n, { epoch: 2 }));
    expect(resolver.clusterOf('a')).toBe('Y');
    resolver.applyLabel(label('a', 'Z', 2n, { epoch: 2 }));
    expect(resolver.clusterOf('a')).toBe('Z');
    resolver.applyLabel(label('a', 'X', 901n, { epoch: 1 }));
    expect(resolver.clusterOf('a')).toBe('Z');
  });

  test('follows an item into another collection, where the aliases of the first do not apply', () => {
    const resolver = createClusterResolver();
    resolver.applyLabel(label('a', 'X', 1n, { collection: 'pets' }));
    resolver.applyLabel(label('a', 'Q', 5n, { collection: 'cars' }));
    resolver.applyClusterEvent(merged('X', 'Y', 6n, { collection: 'pets' }));
    expect(resolver.clusterOf('a')).toBe('Q');
  });

  test('goes on across generations: only what differs is told anew', () => {
    const resolver = createClusterResolver();
    resolver.applyLabel(label('a', 'X', 1n, { generation: 'g1' }));
    resolver.applyClusterEvent(merged('X', 'Y', 2n, { generation: 'g2' }));
    expect(resolver.clusterOf('a')).toBe('Y');
  });

  test('forgets a removed item, and is not misled by a repeat from before', () => {
    const resolver = createClusterResolver();
    resolver.applyLabel(label('a', 'X', 1n));
    resolver.applyLabel(label('a', null, 2n, { role: 'removed' }));
    resolver.applyLabel(label('a', 'X', 1n));
    expect(resolver.clusterOf('a')).toBeUndefined();
    resolver.applyLabel(label('a', 'X', 3n));
    expect(resolver.clusterOf('a')).toBe('X');
  });

  test('a reset makes void what was told before, late arrivals too, in its collection alone', () => {
    const resolver = createClusterResolver();
    resolver.applyLabel(label('a', 'X', 8n));
    resolver.applyLabel(label('b', 'Q', 8n, { collection: 'other' }));
    resolver.applyClusterEvent(event('reset', 2n, { epoch: 2 }));
    expect(resolver.clusterOf('a')).toBeUndefined();
    resolver.applyLabel(label('late', 'X', 9n));
    expect(resolver.clusterOf('late')).toBeUndefined();
    resolver.applyClusterEvent(merged('Z', 'X', 9n));
    resolver.applyLabel(label('a', 'Z', 2n, { epoch: 2 }));
    expect(resolver.clusterOf('a')).toBe('Z');
    expect(resolver.clusterOf('b')).toBe('Q');
  });

  test('knows the names of clusters, until they are taken away or the cluster is gone', () => {
    const resolver = createClusterResolver();
    const named = (clusterId: string, name: string | null, sequence: bigint): ClusterEvent => event('labelled', sequence, { survivor: clusterId, name });
    for (const each of [named('X', 'sports', 1n), named('Y', 'politics', 2n), named('Z', 'music', 3n), named('X', 'football', 4n)]) {
      resolver.applyClusterEvent(each);
    }
    expect(['X', 'Y', 'Z', 'W'].map(resolver.nameOf)).toEqual(['football', 'politics', 'music', undefined]);
    resolver.applyClusterEvent(named('X', 'sports', 1n));
    expect(resolver.nameOf('X')).toBe('football');
    resolver.applyClusterEvent(merged('Y', 'X', 5n));
    resolver.applyClusterEvent(named('Y', 'politics', 2n));
    resolver.applyClusterEvent(event('dissolved', 6n, { retired: ['Z'] }));
    resolver.applyClusterEvent(named('X', null, 7n));
    expect(['X', 'Y', 'Z'].map(resolver.nameOf)).toEqual([undefined, undefined, undefined]);
  });

  test('a cluster that is gone has no name, in whatever order and however often its events are read', () => {
    const messages = [
      event('labelled', 6n, { survivor: 'B', name: 'sports' }),
      event('labelled', 8n, { survivor: 'B', name: 'football' }),
      event('labelled', 9n, { survivor: 'B', name: 'golf' }),
      event('dissolved', 9n, { retired: ['B'] }),
      event('labelled', 6n, { survivor: 'C', name: 'music' }),
      merged('C', 'D', 9n),
      event('labelled', 9n, { survivor: 'D', name: 'music', index: 1 }),
      event('labelled', 7n, { survivor: 'E', name: 'politics' }),
    ];
    const random = createRandom(seed);
    for (let run = 0; run < 200; run++) {
      const resolver = createClusterResolver();
      for (const each of random.shuffle([...messages, ...messages])) resolver.applyClusterEvent(each);
      expect(['B', 'C', 'D', 'E'].map(resolver.nameOf), `seed ${seed}, run ${run}`).toEqual([undefined, undefined, 'music', 'politics']);
    }
  });

  test('asks for the family where an item is in several', () => {
    const resolver = createClusterResolver();
    resolver.applyLabel(label('a', 'X', 1n, { family: 'texts' }));
    resolver.applyLabel(label('a', 'Y', 1n, { family: 'images' }));
    expect(resolver.clusterOf('a', 'texts')).toBe('X');
    expect(resolver.clusterOf('a', 'images')).toBe('Y');
    expect(() => resolver.clusterOf('a')).toThrow(expect.objectContaining({ code: 'LS_CLUSTERING_FAMILY_AMBIGUOUS' }));
    resolver.applyLabel(label('a', null, 2n, { family: 'images', role: 'removed' }));
    expect(resolver.clusterOf('a')).toBe('X');
  });

  test('ignores results that are no assignments', () => {
    const resolver = createClusterResolver();
    resolver.applyLabel({ itemId: 'a', revision: { epoch: 0, number: 1n }, result: { 'labelstream.v1.Caption': { text: 'a cat' } } });
    expect(resolver.clusterOf('a')).toBeUndefined();
  });

  test('forgets an item, and prunes what only old records could need', () => {
    const resolver = createClusterResolver();
    resolver.applyLabel(label('a', 'X', 1n));
    resolver.applyLabel(label('b', 'V', 1n));
    resolver.applyClusterEvent(merged('X', 'Y', 2n));
    resolver.applyClusterEvent(merged('V', 'W', 3n));
    resolver.forget('b');
    expect(resolver.clusterOf('b')).toBeUndefined();
    resolver.applyClusterEvent(event('dissolved', 3n, { retired: ['P'] }));
    resolver.applyClusterEvent(event('dissolved', 4n, { retired: ['Q'] }));
    resolver.prune('f', { epoch: 1, sequence: 3n });
    for (const survivor of ['P', 'Q']) resolver.applyClusterEvent(event('labelled', 2n, { survivor, name: 'late' }));
    expect(['P', 'Q'].map(resolver.nameOf)).toEqual(['late', undefined]);
    // The alias of V is gone, that of X is still needed.
    resolver.applyLabel(label('b', 'V', 1n));
    expect([resolver.clusterOf('a'), resolver.clusterOf('b')]).toEqual(['Y', 'V']);
  });
});
