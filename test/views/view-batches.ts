/** Batches as two partitions give them, the same for every process that has the seed. */
import type { ClusterChange } from '../../src/clustering/alias-resolver.ts';
import { eventJson } from '../../src/views/event-json.ts';
import type { LabelJson } from '../../src/views/item-labels.ts';
import type { ViewBatch } from '../../src/views/label-store.ts';
import { createRandom } from '../clustering/random.ts';
import { assigned, classified, originAt } from './label-fixtures.ts';

const batchItems = ['s/a', 's/b', 's/c'];

/** In turns for `labels` and `cluster-events`; each begins where the one before it of its topic ended. */
export function viewBatches(seed: number, count: number): readonly ViewBatch[] {
  const random = createRandom(seed);
  let [labels, changes] = [0n, 0n];
  return Array.from({ length: count }, (_, index): ViewBatch => {
    const place = { partition: 0, incarnation: 'i', timeMs: index, gap: null };
    if (index % 4 === 3) {
      const sequence = (changes += 1n);
      const event: ClusterChange = { type: 'merged', family: 'f', collection: 'f', epoch: 0, sequence: BigInt(random.below(1000)), retired: [`c${index}`], survivor: `c${index + 1 + random.below(5)}`, name: null };
      return { place: { ...place, topic: 'cluster-events', position: String(sequence), sequence }, labels: [], changes: [{ event, appendTimeMs: index }] };
    }
    const told = Array.from({ length: 1 + random.below(6) }, () => {
      const [itemId, origin] = [random.pick(batchItems), originAt(random.below(1000))];
      const event = random.chance(0.5) ? classified(itemId, origin, String(origin.sequence)) : assigned(itemId, origin, { epoch: 0, number: BigInt(random.below(1000)) }, { clusterId: `c${random.below(count)}` });
      return { label: eventJson(event) as LabelJson, appendTimeMs: index };
    });
    labels += BigInt(told.length);
    return { place: { ...place, topic: 'labels', position: String(labels), sequence: labels }, labels: told, changes: [] };
  });
}
