/**
 * Dead letters: what could not be handled, in its own bytes, with the reason in its headers (SEMANTICS.md, rule 22). They are outputs like any
 * other and are delivered in the place of the result they replace.
 */
import type { Origin } from '../core/events.generated.ts';
import type { ConsumedRecord, OutputRecord } from '../core/records.ts';
import { topics } from '../core/topics.ts';
import { encodeOrigin, headerNames, originOf } from './headers.ts';

export type Failure = {
  readonly code: string;
  readonly message: string;
  readonly stage: string;
  readonly task?: string;
  /** Attempts made. */
  readonly attempt: number;
  readonly schemaId?: string;
  /** The steps that were not done because of it, as `route/step`, and the earlier labels they read (rule 7). */
  readonly routeSteps?: readonly string[];
  readonly results?: Readonly<Record<string, string>>;
  /** Left out: the record's. */
  readonly origin?: Origin;
};

/** A message may quote the input, and the input may be long: what the dead letter adds stays far below its topic's margin of 64 KiB. */
export const messageBytesMax = 2_048;
const nameBytesMax = 256;
const stepsBytesMax = 8_192;

/** @param partition of the topic dead-letters. */
export function deadLetter(record: ConsumedRecord, failure: Failure, partition: number): OutputRecord {
  const headers = new Map(record.headers);
  // A redriven record may still carry the reason of its last failure.
  for (const name of Object.values(headerNames)) headers.delete(name);
  const set = (name: string, text: string, bytesMax: number): void => void headers.set(name, Buffer.from(truncated(text, bytesMax)));
  set(headerNames.errorCode, failure.code, nameBytesMax);
  set(headerNames.errorMessage, failure.message, messageBytesMax);
  set(headerNames.errorStage, failure.stage, nameBytesMax);
  if (failure.task !== undefined) set(headerNames.errorTask, failure.task, nameBytesMax);
  set(headerNames.errorAttempt, String(failure.attempt), nameBytesMax);
  if (failure.schemaId !== undefined) set(headerNames.errorSchemaId, failure.schemaId, nameBytesMax);
  if (failure.routeSteps !== undefined) set(headerNames.errorRouteSteps, failure.routeSteps.join(','), stepsBytesMax);
  if (failure.results !== undefined && Object.keys(failure.results).length > 0) {
    set(headerNames.errorResults, JSON.stringify(failure.results), stepsBytesMax);
  }
  set(headerNames.readTopic, record.topic, nameBytesMax);
  set(headerNames.readIncarnation, record.incarnation, nameBytesMax);
  set(headerNames.readPartition, String(record.partition), nameBytesMax);
  set(headerNames.readSequence, String(record.sequence), nameBytesMax);
  headers.set(headerNames.origin, encodeOrigin(failure.origin ?? originOf(record)));
  return { topic: topics.deadLetters, partition, key: record.key, value: record.value, headers };
}

/** The code that a dead letter names; undefined for any other output. */
export function deadLetterCode(output: OutputRecord): string | undefined {
  return output.topic === topics.deadLetters ? output.headers.get(headerNames.errorCode)?.toString() : undefined;
}

/** The longest beginning within the bytes that cuts no character. */
function truncated(text: string, bytesMax: number): string {
  if (text.length * 3 <= bytesMax) return text;
  const bytes = Buffer.from(text);
  if (bytes.length <= bytesMax) return text;
  let end = bytesMax;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
}
