/**
 * What a log must hold after a crash, given what its clients were told before. Transactions are numbered in the order in which `commit` was
 * called; a record's value names its transaction and its place in it.
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

export function createTransactionModel(): TransactionModel {
  const settled = new Map<number, ModelTransaction>();
  let open: ModelTransaction[] = [];
  let next = 0;
  let survivedUnacknowledged = 0;
  let lost = 0;

  const settle = (found: ReadonlyMap<number, readonly Found[]>): void => {
    let missing: number | undefined;
    for (const entry of open) {
      const present = found.has(entry.number);
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
      const found = await readEverything(store);
      settle(found);
      for (const number of found.keys()) if (!settled.has(number)) throw new Violation(`transaction ${number} was lost before and is there again`);
      for (const entry of settled.values()) compareRecords(entry, found.get(entry.number) ?? []);
      await compareCheckpoints(store, [...settled.values()]);
    },
    counts: () => ({ transactions: next, survivedUnacknowledged, lost }),
  };
}

async function readEverything(store: LogStore): Promise<Map<number, Found[]>> {
  const found = new Map<number, Found[]>();
  for (const { topic, partitionCount } of await store.topics()) {
    for (let partition = 0; partition < partitionCount; partition += 1) {
      const place = `${topic}/${partition}`;
      for (const record of await readInOrder(store, topic, partition)) {
        const number = transactionOf(record);
        const records = found.get(number);
        if (records === undefined) found.set(number, [{ place, record }]);
        else records.push({ place, record });
      }
    }
  }
  return found;
}

async function readInOrder(store: LogStore, topic: string, partition: number): Promise<readonly StoredRecord[]> {
  const { endSequence } = await store.bounds({ topic, partition });
  const all: StoredRecord[] = [];
  while (BigInt(all.length) < endSequence) {
    const records = await store.read({ topic, partition }, BigInt(all.length), { records: 50, bytes: 5000 });
    if (records.length === 0) throw new Violation(`${topic}/${partition} ends at ${all.length} instead of ${endSequence.toString()}`);
    all.push(...records);
  }
  for (const [place, record] of all.entries()) {
    const before = all[place - 1];
    if (record.sequence !== BigInt(place)) throw new Violation(`${topic}/${partition} has sequence ${record.sequence.toString()} at ${place}`);
    if (before === undefined) continue;
    if (before.appendTimeMs > record.appendTimeMs) throw new Violation(`${topic}/${partition} goes back in time at ${place}`);
    // Strictly rising numbers, then places: in the order of the calls, and nothing twice.
    const [number, numberBefore] = [transactionOf(record), transactionOf(before)];
    if (number < numberBefore || (number === numberBefore && placeOf(record) <= placeOf(before))) {
      throw new Violation(`${topic}/${partition} is out of order at ${place}: transaction ${number} after ${numberBefore}`);
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

function compareRecords(entry: ModelTransaction, found: readonly Found[]): void {
  const expected = entry.transaction.records;
  if (found.length !== expected.length) throw new Violation(`transaction ${entry.number} is there with ${found.length} of ${expected.length} records`);
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
