/** Reads what a log directory holds while no process runs on it, and makes another directory with the same inputs. */
import { join } from 'node:path';
import { topics } from '../../src/core/topics.ts';
import type { ConsumedRecord } from '../../src/core/records.ts';
import { createNodeFileSystem } from '../../src/pipeline/node-file-system.ts';
import { readRange } from '../../src/pipeline/read-range.ts';
import { systemClock } from '../../src/pipeline/system-clock.ts';
import type { Checkpoint, Transport } from '../../src/pipeline/transport.ts';
import { createLogTransport } from '../../src/transports/log/log-transport.ts';
import { defaultLogLimits, openSegmentLogStore } from '../../src/transports/log/segment-log-store.ts';

export type LogContents = {
  /** By topic, then partition, in order. */
  readonly records: ReadonlyMap<string, readonly (readonly ConsumedRecord[])[]>;
  readonly incarnations: ReadonlyMap<string, string>;
};

async function withTransport<Result>(
  dataDirectory: string,
  use: (transport: Transport) => Promise<Result>,
  options: { readonly nowMs?: () => number; readonly newIncarnation?: () => string } = {},
): Promise<Result> {
  const store = await openSegmentLogStore({
    directory: join(dataDirectory, 'log'),
    fileSystem: createNodeFileSystem(),
    clock: { ...systemClock, nowMs: options.nowMs ?? systemClock.nowMs },
    newIncarnation: options.newIncarnation ?? (() => 'unused'),
    limits: defaultLogLimits,
  });
  const transport = createLogTransport(store);
  try {
    return await use(transport);
  } finally {
    await transport.close();
  }
}

export function readLog(dataDirectory: string, names: readonly string[]): Promise<LogContents> {
  return withTransport(dataDirectory, (transport) => readContents(transport, names));
}

export async function readContents(transport: Transport, names: readonly string[]): Promise<LogContents> {
  const records = new Map<string, ConsumedRecord[][]>();
  const incarnations = new Map<string, string>();
  for (const topic of names) {
    const { incarnation, partitionCount } = await transport.describeTopic(topic);
    incarnations.set(topic, incarnation);
    const partitions: ConsumedRecord[][] = [];
    for (let partition = 0; partition < partitionCount; partition++) partitions.push(await readPartition(transport, { topic, partition }));
    records.set(topic, partitions);
  }
  return { records, incarnations };
}

async function readPartition(transport: Transport, place: { readonly topic: string; readonly partition: number }): Promise<ConsumedRecord[]> {
  const { start, end } = await transport.bounds(place);
  return (await Array.fromAsync(readRange(transport, place, { from: start, until: end }, new AbortController().signal))).flat();
}

export type Standing = { readonly topic: string; readonly partition: number; readonly checkpoint: Checkpoint | undefined; readonly behind: number };

export function readCheckpoints(dataDirectory: string, group: string, names: readonly string[]): Promise<readonly Standing[]> {
  return withTransport(dataDirectory, (transport) => checkpointsOf(transport, group, names));
}

/** What the groups of the two stages have committed. */
export async function checkpointsOf(transport: Transport, group: string, names: readonly string[]): Promise<readonly Standing[]> {
  const standing = async (topic: string, partition: number): Promise<Standing> => {
    const checkpoint = await transport.committed(`${group}-${topic === topics.features ? 'cluster' : 'extract'}`, { topic, partition });
    const { end, start } = await transport.bounds({ topic, partition });
    return { topic, partition, checkpoint, behind: Number(end.sequence - ((checkpoint?.sequence ?? start.sequence - 1n) + 1n)) };
  };
  const found: Standing[] = [];
  for (const topic of names) {
    const { partitionCount } = await transport.describeTopic(topic);
    found.push(...(await Promise.all(Array.from({ length: partitionCount }, (_, partition) => standing(topic, partition)))));
  }
  return found;
}

/** A new log with the same topics, incarnations and input records, append times included: what an undisturbed run starts from. */
export async function copyInputs(contents: LogContents, inputs: readonly string[], dataDirectory: string): Promise<void> {
  const names = [...contents.incarnations.keys()];
  let creating = 0;
  let appendTimeMs = 0;
  const options = { newIncarnation: () => contents.incarnations.get(names[creating++] ?? '') ?? 'unknown', nowMs: () => appendTimeMs };
  await withTransport(
    dataDirectory,
    async (transport) => {
      for (const topic of names) await transport.createTopics([{ topic, partitionCount: contents.records.get(topic)?.length ?? 1 }]);
      for (const topic of inputs) {
        for (const partition of contents.records.get(topic) ?? []) {
          for (const together of appendedTogether(partition)) {
            appendTimeMs = together[0]?.appendTimeMs ?? 0;
            await transport.append(together);
          }
        }
      }
    },
    options,
  );
}

/** In order; those of one append time go into the copy by one append. */
function appendedTogether(records: readonly ConsumedRecord[]): ConsumedRecord[][] {
  const groups: ConsumedRecord[][] = [];
  for (const record of records) {
    const last = groups.at(-1);
    if (last?.[0]?.appendTimeMs === record.appendTimeMs) last.push(record);
    else groups.push([record]);
  }
  return groups;
}
