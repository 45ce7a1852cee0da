/** What is waited for between two records, and within one that has very many outputs. */
import type { Codec } from '../../codec/codec.ts';
import type { ConsumedRecord } from '../../core/records.ts';

/** A schema that only a registry knows is waited for, as the log is: a record cannot be passed over. False when the signal aborted first. */
export async function canDecode(codec: Codec, { value }: ConsumedRecord, signal: AbortSignal = new AbortController().signal): Promise<boolean> {
  try {
    for (let wait = codec.prepareDecode(value, { signal }); wait !== undefined; wait = codec.prepareDecode(value, { signal })) await wait;
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

/** Lets the main loop answer others between two records, which may each take milliseconds. */
export function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Some milliseconds of encoding. */
const takenAtATime = 256;

/** All of them, with turns of the main loop in between. */
export async function inTurns<Value>(values: Iterable<Value>): Promise<readonly Value[]> {
  const taken: Value[] = [];
  for (const value of values) {
    if (taken.push(value) % takenAtATime === 0) await turnOfTheLoop();
  }
  return taken;
}
