/**
 * Sends without sequence numbers. A broker refuses single partitions of a request, and kafkajs does not say which; were the request repeated, the
 * records of the others would be there twice. So each partition has a request of its own, which was either taken or refused.
 */
import type { OutputRecord } from '../../../core/records.ts';

/** Beside each other. Rejects with the first that failed, when all are over. */
export async function sendByPartition(records: readonly OutputRecord[], send: (records: readonly OutputRecord[]) => Promise<void>): Promise<void> {
  const partitions = new Map<string, OutputRecord[]>();
  for (const record of records) {
    const name = `${record.topic}:${String(record.partition)}`;
    const ofPartition = partitions.get(name);
    if (ofPartition === undefined) partitions.set(name, [record]);
    else ofPartition.push(record);
  }
  await allDone(Array.from(partitions.values(), send));
}

/** Waits for all before it tells of the first that failed: nothing is in flight any more when it is repeated. */
export async function allDone(all: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(all);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason instanceof Error ? failed.reason : new Error(String(failed.reason));
}
