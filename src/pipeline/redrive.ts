/**
 * Redriving a dead letter: its input goes into a topic of its own, which EXTRACT reads, with the id of the dead letter. That record is at once
 * the work and the mark that it was given: there is no moment between the two in which a crash could lose either.
 */
import type { Origin } from '../core/events.generated.ts';
import { hashId } from '../core/ids.ts';
import { partitionForKey } from '../core/partitioning.ts';
import type { ConsumedRecord, Headers, OutputRecord, TopicPartition } from '../core/records.ts';
import { topics } from '../core/topics.ts';
import { decodeOrigin, encodeOrigin, headerNames } from './headers.ts';
import type { Transport } from './transport.ts';

export type ReadPlace = { readonly topic: string; readonly incarnation: string; readonly partition: number; readonly sequence: bigint };

/** A record of the topic dead-letters, as its headers describe it. */
export type DeadLetter = {
  /** Of the work that was not done: copies of one dead letter, as a crash may leave them, have one id, and so have those of a record redriven twice. */
  readonly id: string;
  readonly code: string;
  readonly message: string;
  readonly stage: string;
  readonly task: string | undefined;
  readonly attempts: number;
  /** As `route/step`; undefined: all that a new event would go through. */
  readonly routeSteps: readonly string[] | undefined;
  /** JSON: the top labels that those steps read. */
  readonly results: string | undefined;
  readonly origin: Origin | undefined;
  /** The record that could not be handled. */
  readonly read: ReadPlace | undefined;
  readonly record: ConsumedRecord;
};

export function readDeadLetter(record: ConsumedRecord): DeadLetter {
  const text = (name: keyof typeof headerNames): string | undefined => record.headers.get(headerNames[name])?.toString();
  const read = readPlaceOf(text('readTopic'), text('readIncarnation'), text('readPartition'), text('readSequence'));
  const stage = text('errorStage') ?? '';
  const steps = text('errorRouteSteps');
  const attempts = Number(text('errorAttempt') ?? 1);
  const { incarnation, partition, sequence } = read ?? record;
  const cause = text('redriveCause');
  const place = cause === undefined ? [incarnation, partition, sequence] : ['redrive', cause];
  return {
    id: hashId('dead-letter', stage, ...place, steps ?? '').slice(0, 16),
    code: text('errorCode') ?? '',
    message: text('errorMessage') ?? '',
    stage,
    task: text('errorTask'),
    attempts: Number.isSafeInteger(attempts) && attempts > 0 ? attempts : 1,
    routeSteps: steps?.split(','),
    results: text('errorResults'),
    origin: decodeOrigin(record.headers.get(headerNames.origin)),
    read,
    record,
  };
}

function readPlaceOf(topic?: string, incarnation?: string, partition?: string, sequence?: string): ReadPlace | undefined {
  if (topic === undefined || incarnation === undefined || partition === undefined || sequence === undefined) return undefined;
  if (!/^\d{1,10}$/.test(partition) || !/^\d{1,19}$/.test(sequence)) return undefined;
  return { topic, incarnation, partition: Number(partition), sequence: BigInt(sequence) };
}

export type RedrivenInput = {
  readonly input: Pick<ConsumedRecord, 'key' | 'value' | 'headers'>;
  readonly routeSteps: readonly string[] | undefined;
  readonly results: string | undefined;
};

/**
 * @param number 1 for the first redrive of the dead letter.
 * @param partitionCount of the topic redrive.
 */
export function redriveRecord({ id, origin, attempts }: DeadLetter, { input, routeSteps, results }: RedrivenInput, number: number, partitionCount: number): OutputRecord {
  const headers = new Map(ownHeaders(input.headers));
  if (origin !== undefined) headers.set(headerNames.origin, encodeOrigin(origin));
  if (routeSteps !== undefined) headers.set(headerNames.runRouteSteps, Buffer.from(routeSteps.join(',')));
  if (results !== undefined) headers.set(headerNames.runResults, Buffer.from(results));
  headers.set(headerNames.runAttempts, Buffer.from(String(attempts)));
  headers.set(headerNames.redriveOf, Buffer.from(id));
  headers.set(headerNames.redriveNumber, Buffer.from(String(number)));
  return { topic: topics.redrive, partition: partitionForKey(input.key ?? '', partitionCount), key: input.key, value: input.value, headers };
}

/**
 * The first record of a partition of `redrive` that may mark a dead letter which is still there; without its mark that one would be open again. A
 * mark is younger than its dead letter, but may lie in an older segment. Undefined where there are no dead letters.
 */
export async function marksNeededFrom(transport: Pick<Transport, 'describeTopic' | 'bounds' | 'boundAt' | 'read'>, redrive: TopicPartition, signal: AbortSignal): Promise<bigint | undefined> {
  const { topic, partitionCount } = await transport.describeTopic(topics.deadLetters);
  let oldestMs: number | undefined;
  for (let partition = 0; partition < partitionCount; partition++) {
    const { start, end } = await transport.bounds({ topic, partition });
    if (start.sequence === end.sequence) continue;
    const [oldest] = await transport.read({ topic, partition }, undefined, { records: 1, bytes: 1 }, signal);
    if (oldest !== undefined) oldestMs = Math.min(oldestMs ?? Infinity, oldest.appendTimeMs);
  }
  return oldestMs === undefined ? undefined : (await transport.boundAt(redrive, { appendTimeMs: oldestMs })).sequence;
}

/**
 * An input as it was, once more: with its origin, so that its results have the ids that they had.
 * @param routeSteps the only steps to run; undefined: all.
 * @param partitionCount of the topic replay.
 */
export function replayRecord(record: ConsumedRecord, routeSteps: readonly string[] | undefined, partitionCount: number): OutputRecord {
  const { topic, incarnation, partition, sequence, appendTimeMs, key, value } = record;
  const headers = new Map(ownHeaders(record.headers));
  headers.set(headerNames.origin, encodeOrigin({ topic, incarnation, partition, sequence, appendTime: appendTimeMs }));
  if (routeSteps !== undefined) headers.set(headerNames.runRouteSteps, Buffer.from(routeSteps.join(',')));
  return { topic: topics.replay, partition: partitionForKey(key ?? '', partitionCount), key, value, headers };
}

const ourNames = new Set<string>(Object.values(headerNames));

/** The producer's: whatever it sent under a name of ours was never believed and is not to be now. */
function ownHeaders(headers: Headers): Headers {
  return new Map([...headers].filter(([name]) => !ourNames.has(name)));
}
