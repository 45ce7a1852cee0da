/** Texts that move between clusters as they come again: with merges, splits and deletions. */
import type { TextEvent } from '../../src/core/events.generated.ts';
import { itemIdOf } from '../../src/core/ids.ts';
import { partitionForKey } from '../../src/core/partitioning.ts';
import { noHeaders } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { withLog } from '../cli/fixtures.ts';
import { createRandom } from '../clustering/random.ts';

const itemCount = 150;
const words = ['oak', 'elm', 'fir'];

/** Between two words in steps of a twentieth: enough of them close the gap between two clusters, and one taken away opens it again. */
export function movingTexts(seed: number, count: number): TextEvent[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => {
    const [left, right] = [random.pick(words), random.pick(words)];
    const share = random.chance(0.4) ? 0 : random.below(11);
    const text = [...Array.from({ length: 20 - share }, () => left), ...Array.from({ length: share }, () => right)].join(' ');
    const id = `i${random.below(itemCount)}`;
    return { id, source: 's', occurredAt: 1_700_000_000_000, text, language: null, collection: null, attributes: {}, tasks: [], deleted: random.chance(0.1) };
  });
}

export function publishTexts(file: string, published: readonly TextEvent[]): Promise<void> {
  return withLog(file, ({ codec, partitionCountOf, transport }) =>
    transport.append(
      published.map((event) => {
        const key = itemIdOf(event);
        return { topic: topics.text, partition: partitionForKey(key, partitionCountOf(topics.text)), key: Buffer.from(key), value: codec.encode('TextEvent', event), headers: noHeaders };
      }),
    ),
  );
}
