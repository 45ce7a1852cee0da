/**
 * What a partition has read and not yet delivered, in input order. Records finish in any order; only the finished prefix may leave, because a
 * commit says "everything up to here".
 *
 *      delivered │ finished  finished │ processing  finished  finished  processing │ not read
 *                └───── prefix ───────┘ └ head of line: holds its successors back
 *
 * The room for further records counts inputs and their results, in records and bytes. `reset` begins a new epoch: completions of records
 * admitted before it answer false and change nothing, so work that outlives a revocation cannot touch its successor's commits.
 */
import { recordBytes, type ConsumedRecord, type OutputRecord } from '../core/records.ts';
import type { ReadBudget } from './transport.ts';

export type Tracked = {
  readonly record: ConsumedRecord;
  readonly epoch: number;
  readonly bytes: number;
  outputBytes: number;
  outputs: readonly OutputRecord[] | undefined;
  /** Finished, like all before it. */
  inPrefix: boolean;
  /** By the clock's `elapsedMs`, as is `finishedAtMs`. */
  readonly admittedAtMs: number;
  finishedAtMs: number;
};

/** The finished prefix, as it is at the moment. An input without outputs counts as one of them, or a run of such inputs would never end a delivery. */
type Prefix = { readonly inputs: number; readonly outputs: number; readonly outputBytes: number };

export type OffsetTracker = {
  /** What may still be admitted within a budget; not positive where nothing may. */
  readonly room: (budget: ReadBudget) => ReadBudget;
  readonly inFlight: () => ReadBudget;
  readonly admit: (record: ConsumedRecord, elapsedMs: number) => Tracked;
  /** False, and nothing happens, for a record of an earlier epoch and for one that has finished already. */
  readonly finish: (tracked: Tracked, outputs: readonly OutputRecord[], elapsedMs: number) => boolean;
  /** Whether a completion of this record would still count. */
  readonly awaits: (tracked: Tracked) => boolean;
  readonly head: () => Tracked | undefined;
  readonly prefix: () => Prefix;
  /** Records that have finished and wait for an earlier one. */
  readonly gap: () => number;
  /** When the first of the finished records that are not in the prefix finished. */
  readonly heldSinceMs: () => number | undefined;
  /** The beginning of the prefix that fits a delivery; a first record goes whatever its size. Empty only if the prefix is. */
  readonly peek: (deliveryBudget: ReadBudget) => readonly Tracked[];
  /** Takes the first `count` records out: their outputs and their positions are durable. */
  readonly release: (count: number) => void;
  /** All that are in flight, forgotten. */
  readonly reset: () => readonly Tracked[];
};

export function createOffsetTracker(): OffsetTracker {
  const queue = createQueue<Tracked>();
  /** Those that finished before the one in front of them, in that order; they are dropped when they come to its front and have joined the prefix. */
  const finished = createQueue<Tracked>();
  let epoch = 0;
  let bytes = 0;
  const prefix = { inputs: 0, outputs: 0, outputBytes: 0 };
  let finishedCount = 0;
  const extendPrefix = (): void => {
    for (let next = queue.at(prefix.inputs); next?.outputs !== undefined; next = queue.at(prefix.inputs)) {
      next.inPrefix = true;
      countIn(prefix, next, 1);
    }
  };
  /** With every release: nobody may ask for long who is held. */
  const dropJoined = (): void => {
    while (finished.at(0)?.inPrefix === true) finished.shift();
  };
  const awaits = (tracked: Tracked): boolean => tracked.epoch === epoch && tracked.outputs === undefined;
  return {
    room: (budget) => ({ records: budget.records - queue.length(), bytes: budget.bytes - bytes }),
    inFlight: () => ({ records: queue.length(), bytes }),
    admit: (record, admittedAtMs) => {
      const tracked: Tracked = { record, epoch, bytes: recordBytes(record), outputBytes: 0, outputs: undefined, inPrefix: false, admittedAtMs, finishedAtMs: 0 };
      bytes += tracked.bytes;
      queue.push(tracked);
      return tracked;
    },
    finish: (tracked, outputs, elapsedMs) => {
      if (!awaits(tracked)) return false;
      const outputBytes = bytesOf(outputs);
      tracked.outputs = outputs;
      tracked.finishedAtMs = elapsedMs;
      tracked.outputBytes = outputBytes;
      bytes += outputBytes;
      finishedCount += 1;
      extendPrefix();
      if (!tracked.inPrefix) finished.push(tracked);
      return true;
    },
    awaits,
    head: () => queue.at(0),
    prefix: () => prefix,
    gap: () => finishedCount - prefix.inputs,
    heldSinceMs: () => {
      dropJoined();
      return finished.at(0)?.finishedAtMs;
    },
    peek: (budget) => peekPrefix(queue, prefix.inputs, budget),
    release: (count) => {
      for (let released = 0; released < count; released += 1) {
        const tracked = queue.shift();
        if (tracked?.outputs === undefined) throw new RangeError('only finished records can be released');
        bytes -= tracked.bytes + tracked.outputBytes;
        finishedCount -= 1;
        countIn(prefix, tracked, -1);
      }
      dropJoined();
    },
    reset: () => {
      epoch += 1;
      bytes = 0;
      Object.assign(prefix, { inputs: 0, outputs: 0, outputBytes: 0 });
      finishedCount = 0;
      finished.clear();
      return queue.clear();
    },
  };
}

function countIn(prefix: { inputs: number; outputs: number; outputBytes: number }, tracked: Tracked, sign: 1 | -1): void {
  prefix.inputs += sign;
  prefix.outputs += sign * Math.max(1, tracked.outputs?.length ?? 0);
  prefix.outputBytes += sign * tracked.outputBytes;
}

function peekPrefix(queue: Queue<Tracked>, inputs: number, budget: ReadBudget): readonly Tracked[] {
  const taken: Tracked[] = [];
  let outputs = 0;
  let bytes = 0;
  for (let index = 0; index < inputs; index += 1) {
    const tracked = queue.at(index);
    if (tracked === undefined) break;
    outputs += Math.max(1, tracked.outputs?.length ?? 0);
    bytes += tracked.outputBytes;
    if (index > 0 && (outputs > budget.records || bytes > budget.bytes)) break;
    taken.push(tracked);
  }
  return taken;
}

function bytesOf(outputs: readonly OutputRecord[]): number {
  let bytes = 0;
  for (const output of outputs) bytes += recordBytes(output);
  return bytes;
}

type Queue<Item> = {
  readonly push: (item: Item) => void;
  readonly shift: () => Item | undefined;
  readonly at: (index: number) => Item | undefined;
  readonly length: () => number;
  readonly clear: () => Item[];
};

/** An array whose front is an index: shifting thousands of items out of an array moves all the others each time. */
function createQueue<Item>(): Queue<Item> {
  let items: (Item | undefined)[] = [];
  let front = 0;
  return {
    push: (item) => void items.push(item),
    shift: () => {
      const item = items[front];
      if (front >= items.length) return undefined;
      items[front] = undefined;
      front += 1;
      if (front > 1_024 && front * 2 > items.length) {
        items = items.slice(front);
        front = 0;
      }
      return item;
    },
    at: (index) => items[front + index],
    length: () => items.length - front,
    clear: () => {
      const rest = items.slice(front).filter((item) => item !== undefined);
      items = [];
      front = 0;
      return rest;
    },
  };
}
