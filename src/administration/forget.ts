/** Takes items out of every collection, and tells where their vectors still may be (SEMANTICS.md, rule 21). */
import { forgetItems } from '../clusters-of.ts';
import { durationText } from '../core/duration-text.ts';
import type { TopicPartition } from '../core/records.ts';
import { inputTopics, topics } from '../core/topics.ts';
import type { Access } from '../open-access.ts';
import { knownRetention } from './known-retention.ts';

export type Forgotten = {
  /** Those of the items that are in a collection now. An id that was misspelt is in none, and may never have been anywhere. */
  readonly inCollections: readonly string[];
  readonly stillIn: readonly { readonly place: string; readonly until: string }[];
  /** Where it was said. */
  readonly places: readonly TopicPartition[];
};

/** @param isHeld whether a collection holds an item now. Rejects as `forgetItems` does. */
export async function forget(access: Access, items: readonly string[], isHeld: (itemId: string) => boolean): Promise<Forgotten> {
  const kept = await topicsWithRecords(access, [...inputTopics, topics.features, topics.deadLetters]);
  const named = [...new Set(items)];
  const inCollections = named.filter(isHeld);
  const places = await forgetItems(access, named);
  const { dataDirectory, transport, state } = access.configuration;
  const [topicsIn, snapshotsIn] = [transport.kind === 'log' ? dataDirectory : 'Kafka', state.kind === 'blob' ? `the container ${state.container ?? state.containerUrl ?? ''}` : dataDirectory];
  const stillIn = [
    { place: `those topics in ${topicsIn} that it came through, of ${kept.length === 0 ? 'which none holds a record' : kept.join(', ')}`, until: `retention removes it${await retentionText(access, kept)}` },
    { place: `the snapshots in ${snapshotsIn}, where one holds it`, until: 'three newer ones are written per partition' },
  ];
  return { inCollections, stillIn, places };
}

/** The others never held anything, of this item or of another. */
async function topicsWithRecords({ transport }: Access, names: readonly string[]): Promise<readonly string[]> {
  const kept: string[] = [];
  for (const topic of names) {
    const { partitionCount } = await transport.describeTopic(topic);
    const bounds = await Promise.all(Array.from({ length: partitionCount }, (_, partition) => transport.bounds({ topic, partition })));
    if (bounds.some(({ start, end }) => end.sequence > start.sequence)) kept.push(topic);
  }
  return kept;
}

/** Those that keep alike together. */
async function retentionText(access: Access, names: readonly string[]): Promise<string> {
  const alike = new Map<string, string[]>();
  for (const topic of names) {
    const { keptMsMax } = await knownRetention(access, topic);
    const said = keptMsMax === undefined ? 'no limit by age is known' : `${durationText(keptMsMax)} after it came at the latest`;
    alike.set(said, [...(alike.get(said) ?? []), topic]);
  }
  return alike.size === 0 ? '' : ` (${[...alike].map(([said, topicsAlike]) => `${topicsAlike.join(', ')}: ${said}`).join('; ')})`;
}
