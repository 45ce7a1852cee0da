/**
 * Dead letters: what could not be handled, in its own bytes, with the reason in its headers (SEMANTICS.md, rule 22). They are outputs like any
 * other and are delivered in the place of the result they replace.
 */
import type { Origin } from '../core/events.generated.ts';
import { noHeaders, recordBytes, type ConsumedRecord, type OutputRecord } from '../core/records.ts';
import { topics } from '../core/topics.ts';
import { encodeOrigin, headerNames, originBytesMax, originOf } from './headers.ts';

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
  /** Of a redriven record, what copies of it have in common (headers.ts). */
  readonly redriveCause?: string;
};

/** A message may quote the input, and the input may be long; names come from outside, too. */
const nameBytesMax = 256;
const valueBytesMax = {
  origin: originBytesMax,
  errorCode: nameBytesMax,
  errorMessage: 2_048,
  errorStage: nameBytesMax,
  errorTask: nameBytesMax,
  errorAttempt: nameBytesMax,
  errorSchemaId: nameBytesMax,
  errorRouteSteps: 8_192,
  errorResults: 8_192,
  readTopic: nameBytesMax,
  readIncarnation: nameBytesMax,
  readPartition: nameBytesMax,
  readSequence: nameBytesMax,
  redriveCause: nameBytesMax,
} as const satisfies Partial<Record<keyof typeof headerNames, number>>;
type DeadLetterHeader = keyof typeof valueBytesMax;
const deadLetterHeaders = Object.keys(valueBytesMax) as DeadLetterHeader[];
export const messageBytesMax = valueBytesMax.errorMessage;

const largestHeaders = new Map(deadLetterHeaders.map((key) => [headerNames[key], Buffer.alloc(valueBytesMax[key])]));

/** What a dead letter is larger than its record, at most, as `recordBytes` counts it. */
export const deadLetterHeaderBytesMax =
  recordBytes({ key: null, value: Buffer.alloc(0), headers: largestHeaders }) - recordBytes({ key: null, value: Buffer.alloc(0), headers: noHeaders });

/** @param partition of the topic dead-letters. */
export function deadLetter(record: ConsumedRecord, failure: Failure, partition: number): OutputRecord {
  const headers = new Map(record.headers);
  // A redriven record may still carry the reason of its last failure.
  for (const name of Object.values(headerNames)) headers.delete(name);
  const setWhole = (name: DeadLetterHeader, text: string): void => {
    // A part of it would make a redrive pass over steps in silence; without it all are run.
    if (Buffer.byteLength(text) <= valueBytesMax[name]) headers.set(headerNames[name], Buffer.from(text));
  };
  const set = (name: DeadLetterHeader, text: string): void =>
    void headers.set(headerNames[name], Buffer.from(truncated(text, valueBytesMax[name])));
  set('errorCode', failure.code);
  set('errorMessage', failure.message);
  set('errorStage', failure.stage);
  if (failure.task !== undefined) set('errorTask', failure.task);
  set('errorAttempt', String(failure.attempt));
  if (failure.schemaId !== undefined) set('errorSchemaId', failure.schemaId);
  if (failure.routeSteps !== undefined) setWhole('errorRouteSteps', failure.routeSteps.join(','));
  if (failure.results !== undefined && Object.keys(failure.results).length > 0) {
    setWhole('errorResults', JSON.stringify(failure.results));
  }
  if (failure.redriveCause !== undefined) setWhole('redriveCause', failure.redriveCause);
  set('readTopic', record.topic);
  set('readIncarnation', record.incarnation);
  set('readPartition', String(record.partition));
  set('readSequence', String(record.sequence));
  const origin = encodeOrigin(failure.origin ?? originOf(record));
  // A claimed one may have any length; nobody could read it back.
  headers.set(headerNames.origin, origin.length <= originBytesMax ? origin : encodeOrigin(originOf({ ...record, headers: noHeaders })));
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
