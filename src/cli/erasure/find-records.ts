/**
 * The records of the log that hold input bytes or vectors of items, by reading all of it: nothing else knows where an item went. Memory is that of
 * one read, whatever the log holds.
 */
import type { Access } from '../../open-access.ts';
import type { DecodedEvent } from '../../codec/event-names.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import { itemIdOf } from '../../core/ids.ts';
import type { ConsumedRecord, TopicPartition } from '../../core/records.ts';
import { inputTopics, topics } from '../../core/topics.ts';
import { readRange } from '../../pipeline/read-range.ts';
import { eventIn } from '../../codec/decoded.ts';

/**
 * `result`: what came of an input, not its bytes. `name`: its name alone, as the news of its deletion. `unreadable`: the bytes of its id, in a value
 * that is no event, so that what else is in it is not known.
 */
export type Holding = 'input' | 'vector' | 'dead-letter' | 'result' | 'name' | 'unreadable';

/** The records of one partition that hold something of an item. */
export type RecordPlace = TopicPartition & {
  readonly item: string;
  readonly holds: Holding;
  records: number;
  readonly firstSequence: bigint;
  lastSequence: bigint;
  lastAppendTimeMs: number;
};

const searched: readonly (readonly [topic: string, holds: Holding])[] = [
  ...inputTopics.map((topic) => [topic, 'input'] as const),
  [topics.features, 'vector'],
  [topics.deadLetters, 'dead-letter'],
  [topics.labels, 'result'],
  [topics.clusterEvents, 'name'],
];

/** In the order of the topics, then partitions. Throws the signal's reason, and the outage of a schema registry. */
export async function findRecords(access: Access, items: ReadonlySet<string>, signal: AbortSignal): Promise<readonly RecordPlace[]> {
  const places: RecordPlace[] = [];
  for (const [topic, holds] of searched) {
    const { partitionCount } = await access.transport.describeTopic(topic);
    for (let partition = 0; partition < partitionCount; partition++) {
      places.push(...(await findInPartition(access, { topic, partition, holds }, items, signal)));
    }
  }
  return places;
}

type Search = TopicPartition & { readonly holds: Holding };

async function findInPartition(access: Access, search: Search, items: ReadonlySet<string>, signal: AbortSignal): Promise<readonly RecordPlace[]> {
  const { end } = await access.transport.bounds(search);
  for (;;) {
    const { start } = await access.transport.bounds(search);
    try {
      const found = new Map<string, RecordPlace>();
      for await (const records of readRange(access.transport, search, { from: start, until: end }, signal)) {
        for (const record of records) for (const [item, holds] of await itemsHeld(access, search.holds, record, items, signal)) note(found, { ...search, holds }, item, record);
      }
      return [...found.values()];
    } catch (error) {
      // Retention was faster: what is left begins later.
      if (!(error instanceof LabelstreamError && error.code === 'LS_TRANSPORT_POSITION_LOST')) throw error;
    }
  }
}

function note(found: Map<string, RecordPlace>, { topic, partition, holds }: Search, item: string, { sequence, appendTimeMs }: ConsumedRecord): void {
  const known = `${holds} ${item}`;
  const place = found.get(known);
  if (place === undefined) found.set(known, { item, topic, partition, holds, records: 1, firstSequence: sequence, lastSequence: sequence, lastAppendTimeMs: appendTimeMs });
  else [place.records, place.lastSequence, place.lastAppendTimeMs] = [place.records + 1, sequence, appendTimeMs];
}

/** Those of the items that the record holds something of, and what. */
async function itemsHeld(
  { codec }: Access,
  holds: Holding,
  { key, value, headers }: ConsumedRecord,
  items: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<readonly (readonly [item: string, holds: Holding])[]> {
  const keyed = key?.toString() ?? '';
  const isNamed = (item: string): boolean => item === keyed || [...headers.values()].some((header) => header.includes(item));
  // Texts lie in a value as they are, so most records need no decoding.
  const named = [...items].filter((item) => isNamed(item) || value.includes(item.slice(item.indexOf('/') + 1)));
  if (named.length === 0) return [];
  const decoded = await eventIn(codec, value, signal);
  return named.flatMap((item): readonly (readonly [string, Holding])[] => {
    const held = decoded === undefined ? heldByGarbage(item, keyed, holds) : itemOf(decoded) === item ? heldByEvent(decoded, holds) : undefined;
    if (held !== undefined) return [[item, held]];
    return isNamed(item) ? [[item, 'name']] : [];
  });
}

/** Garbage under an item's key was published as that item. */
function heldByGarbage(item: string, keyed: string, holds: Holding): Holding {
  return item === keyed && (holds === 'input' || holds === 'dead-letter') ? holds : 'unreadable';
}

function itemOf(decoded: DecodedEvent): string | undefined {
  switch (decoded.schema) {
    case 'TextEvent':
    case 'MediaEvent':
    case 'RecordEvent':
      return itemIdOf(decoded.event);
    case 'FeatureEvent':
    case 'LabelEvent':
      return decoded.event.itemId;
    case 'ClusterEvent':
      return decoded.event.cause ?? undefined;
    default:
      return undefined;
  }
}

/** A producer may put a text, a content or attributes into the news of a deletion, too. */
function heldByEvent(decoded: DecodedEvent, holds: Holding): Holding {
  switch (decoded.schema) {
    case 'TextEvent':
      return decoded.event.deleted && decoded.event.text === '' && isEmpty(decoded.event.attributes) ? 'name' : holds;
    case 'MediaEvent':
      return decoded.event.deleted && decoded.event.content === null && isEmpty(decoded.event.attributes) ? 'name' : holds;
    case 'FeatureEvent':
      return decoded.event.vector.length === 0 && decoded.event.preview === null && isEmpty(decoded.event.attributes) ? 'name' : holds;
    case 'ClusterEvent':
      return 'name';
    default:
      return holds;
  }
}

function isEmpty(attributes: Readonly<Record<string, string>>): boolean {
  return Object.keys(attributes).length === 0;
}
