/** What is in a log, put there and read without a process for each: while no `run` works on it, or beside one. */
import type { Access } from '../../src/open-access.ts';
import type { LabelEvent, RecordEvent, TextEvent } from '../../src/core/events.generated.ts';
import { itemIdOf } from '../../src/core/ids.ts';
import { partitionForKey } from '../../src/core/partitioning.ts';
import { noHeaders, type ConsumedRecord, type OutputRecord } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { readRange } from '../../src/pipeline/read-range.ts';
import { withLog } from './fixtures.ts';

/** As `publish text` does, which has tests of its own. */
export function appendTexts(file: string, texts: Readonly<Record<string, string | Partial<TextEvent>>>): Promise<void> {
  return withLog(file, async (access) => {
    const events = Object.entries(texts).map(([id, fields]): TextEvent => ({
      id, source: 's', occurredAt: 1_700_000_000_000, text: '', language: null, collection: null, attributes: {}, tasks: [], deleted: false,
      ...(typeof fields === 'string' ? { text: fields } : fields),
    }));
    await access.transport.append(events.map((event) => inputRecord(access, topics.text, itemIdOf(event), access.codec.encode('TextEvent', event))));
  });
}

export function appendRecords(file: string, records: Readonly<Record<string, RecordEvent['values']>>): Promise<void> {
  return withLog(file, async (access) => {
    const events = Object.entries(records).map(([id, values]): RecordEvent => ({ id, source: 's', occurredAt: 1_700_000_000_000, values, tasks: [], attributes: {} }));
    await access.transport.append(events.map((event) => inputRecord(access, topics.record, itemIdOf(event), access.codec.encode('RecordEvent', event))));
  });
}

function inputRecord({ partitionCountOf }: Access, topic: string, key: string, value: Buffer): OutputRecord {
  return { topic, partition: partitionForKey(key, partitionCountOf(topic)), key: Buffer.from(key), value, headers: noHeaders };
}

/** In the order of the partitions. */
export function recordsIn(file: string, topic: string): Promise<readonly ConsumedRecord[]> {
  return withLog(file, async ({ transport, partitionCountOf }) => {
    const all: ConsumedRecord[] = [];
    for (let partition = 0; partition < partitionCountOf(topic); partition++) {
      const { start, end } = await transport.bounds({ topic, partition });
      const range = { from: start, until: end };
      for await (const records of readRange(transport, { topic, partition }, range, new AbortController().signal)) all.push(...records);
    }
    return all;
  });
}

/** Those of EXTRACT, without assignments to clusters. */
export async function extractedLabels(file: string): Promise<readonly LabelEvent[]> {
  const records = await recordsIn(file, topics.labels);
  return withLog(file, ({ codec }) =>
    Promise.resolve(records.map(({ value }) => codec.decodeAs('LabelEvent', value)).filter(({ result }) => !('labelstream.v1.Assignment' in result))),
  );
}
