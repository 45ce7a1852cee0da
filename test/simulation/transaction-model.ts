/**
 * What a log must hold after a crash, given what its clients were told before. Transactions are numbered in the order in which `commit` was
 * called; a record's value names its transaction and its place in it.
 *
 * Retention may have removed the first records of a partition: those before its first one that is there, if it does not begin at 0. Only what was
 * acknowledged can have gone so, because a segment is removed in a later round than it was filled.
 */
import type { AppendRecord, GroupCheckpoint, LogStore, LogTransaction, StoredRecord } from '../../src/transports/log/log-store.ts';

type Outcome = 'pending' | 'acknowledged' | 'not-committed' | 'unknown';

type ModelTransaction = {
  readonly number: number;
  readonly transaction: LogTransaction;
  outcome: Outcome;
  /** Somebody read a record of it. */
  seen: boolean;
};

export type TransactionModel = {
  readonly begin: (make: (number: number) => LogTransaction) => ModelTransaction;
  readonly recordSeen: (record: StoredRecord) => void;
  /** Compares all that the log holds with what it must; what was neither acknowledged nor found is from then on not to appear. Throws a Violation. */
  readonly verify: (store: LogStore) => Promise<void>;
  readonly counts: () => { readonly transactions: number; readonly survivedUnacknowledged: number; readonly lost: number };
};

export class Violation extends Error {}

type Found = { readonly place: string; readonly record: StoredRecord };
/** `removed`: whether retention may have taken this record. */
type Contents = { readonly found: ReadonlyMap<number, readonly Found[]>; readonly removed: (record: AppendRecord) => boolean };

export function createTransactionModel(): TransactionModel {
  const settled = new Map<number, ModelTransaction>();
  let open: ModelTransaction[] = [];
  let next = 0;
  let survivedUnacknowledged = 0;
  let lost = 0;

  const settle = ({ found, removed }: Contents): void => {
    let missing: number | undefined;
    for (const entry of open) {
      const present = found.has(entry.number) || (entry.outcome === 'acknowledged' && entry.transaction.records.every(removed));
      if (!present && entry.outcome === 'acknowledged') throw new Violation(`transaction ${entry.number} was acknowledged and is gone`);
      if (!present && entry.seen) throw new Violation(`transaction ${entry.number} was read and is gone`);
      if (present && entry.outcome === 'not-committed') throw new Violation(`transaction ${entry.number} was said not to be committed and is there`);
      if (present && missing !== undefined) throw new Violation(`transaction ${entry.number} is there, ${missing} before it is not`);
      if (present) settled.set(entry.number, entry);
      else missing ??= entry.number;
      if (present && entry.outcome !== 'acknowledged') survivedUnacknowledged += 1;
      if (!present) lost += 1;
    }
    open = [];
  };

  return {
    begin: (make) => {
      const number = next;
      next += 1;
      const entry: ModelTransaction = { number, transaction: make(number), outcome: 'pending', seen: false };
      open.push(entry);
      return entry;
    },
    recordSeen: (record) => {
      const number = transactionOf(record);
      const entry = open.find((candidate) => candidate.number === number) ?? settled.get(number);
      if (entry === undefined) throw new Violation(`a record of transaction ${number} was read, which was lost before`);
      entry.seen = true;
    },
    verify: async (store) => {
      const contents = await readEverything(store);
      const { found, removed } = contents;
      settle(contents);
      for (const number of found.keys()) if (!settled.has(number)) throw new Violation(`transaction ${number} was lost before and is there again`);
      for (const entry of settled.values()) compareRecords(entry, found.get(entry.number) ?? [], removed);
      await compareCheckpoints(store, [...settled.values()]);
    },
    counts: () => ({ transactions: next, survivedUnacknowledged, lost }),
  };
}

async function readEverything(store: LogStore): Promise<Contents> {
  const found = new Map<number, Found[]>();
  /** Of partitions that do not begin at 0; undefined where nothing is left. */
  const firsts = new Map<string, StoredRecord | undefined>();
  for (const { topic, partitionCount } of await store.topics()) {
    for (let partition = 0; partition < partitionCount; partition += 1) {
      const place = `${topic}/${partition}`;
      const { startSequence } = await store.bounds({ topic, partition });
      const records = await readInOrder(store, topic, partition);
      if (startSequence > 0n) firsts.set(place, records[0]);
      for (const record of records) {
        const number = transactionOf(record);
        const known = found.get(number);
        if (known === undefined) found.set(number, [{ place, record }]);
        else known.push({ place, record });
      }
    }
  }
  const removed = (record: AppendRecord): boolean => {
    const place = `${record.topic}/${record.partition}`;
    const first = firsts.get(place);
    return firsts.has(place) && (first === undefined || isBefore(record, first));
  };
  return { found, removed };
}

function isBefore(left: Pick<StoredRecord, 'value'>, right: Pick<StoredRecord, 'value'>): boolean {
  const [number, other] = [transactionOf(left), transactionOf(right)];
  return number < other || (number === other && placeOf(left) < placeOf(right));
}

async function readInOrder(store: LogStore, topic: string, partition: number): Promise<readonly StoredRecord[]> {
  const { startSequence, endSequence } = await store.bounds({ topic, partition });
  const all: StoredRecord[] = [];
  const sequenceAt = (place: number): bigint => startSequence + BigInt(place);
  while (sequenceAt(all.length) < endSequence) {
    const records = await store.read({ topic, partition }, sequenceAt(all.length), { records: 50, bytes: 5000 });
    if (records.length === 0) throw new Violation(`${topic}/${partition} ends at ${sequenceAt(all.length).toString()} instead of ${endSequence.toString()}`);
    all.push(...records);
  }
  for (const [place, record] of all.entries()) {
    const before = all[place - 1];
    if (record.sequence !== sequenceAt(place)) throw new Violation(`${topic}/${partition} has sequence ${record.sequence.toString()} at ${place}`);
    if (before === undefined) continue;
    if (before.appendTimeMs > record.appendTimeMs) throw new Violation(`${topic}/${partition} goes back in time at ${place}`);
    // Strictly rising numbers, then places: in the order of the calls, and nothing twice.
    if (!isBefore(before, record)) {
      throw new Violation(`${topic}/${partition} is out of order at ${place}: transaction ${transactionOf(record)} after ${transactionOf(before)}`);
    }
  }
  return all;
}

export function valueOf(number: number, place: number, padding: number): Buffer {
  return Buffer.from(`${number}/${place}/${'.'.repeat(padding)}`);
}

function transactionOf(record: Pick<StoredRecord, 'value'>): number {
  return Number(record.value.toString().split('/')[0]);
}

function placeOf(record: Pick<StoredRecord, 'value'>): number {
  return Number(record.value.toString().split('/')[1]);
}

function compareRecords(entry: ModelTransaction, found: readonly Found[], removed: (record: AppendRecord) => boolean): void {
  const expected = entry.transaction.records;
  if (found.length !== expected.filter((record) => !removed(record)).length) throw new Violation(`transaction ${entry.number} is there with ${found.length} of ${expected.length} records`);
  for (const { place, record } of found) {
    const original = expected[placeOf(record)];
    if (original === undefined || `${original.topic}/${original.partition}` !== place || describeRecord(original) !== describeRecord(record)) {
      throw new Violation(`record ${placeOf(record)} of transaction ${entry.number} came back changed in ${place}`);
    }
  }
}

function describeRecord({ key, value, headers }: Pick<AppendRecord, 'key' | 'value' | 'headers'>): string {
  return JSON.stringify([key?.toString() ?? null, value.toString(), [...headers].map(([name, header]) => [name, header.toString()])]);
}

async function compareCheckpoints(store: LogStore, visible: readonly ModelTransaction[]): Promise<void> {
  const last = new Map<string, GroupCheckpoint>();
  for (const entry of visible) {
    for (const checkpoint of entry.transaction.checkpoints) last.set(`${checkpoint.group} ${checkpoint.topic}/${checkpoint.partition}`, checkpoint);
  }
  for (const [name, expected] of last) {
    const found = await store.checkpoint(expected.group, expected);
    if (found?.nextSequence !== expected.nextSequence || found.metadata !== expected.metadata) {
      throw new Violation(`the checkpoint of ${name} is ${found?.metadata ?? 'gone'} instead of ${expected.metadata}`);
    }
  }
}
