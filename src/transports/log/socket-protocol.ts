/**
 * What the owner of a log directory and its clients say to each other, one JSON header per frame (frames.ts). A client sends requests with
 * ids of its own and may send many before the first answer; answers come in any order. The first request is `hello`, whose form never
 * changes, so that two versions can at least tell each other that they differ.
 */
import { z } from 'zod';
import { LabelstreamError } from '../../core/errors/error.ts';
import { logError, logErrors } from '../../core/errors/log.ts';
import type { Headers } from '../../core/records.ts';
import type { AppendRecord, ExpectedPosition, GroupCheckpoint, StoredRecord } from './log-store.ts';

/** 2: a commit may expect a position. An owner that does not know of it would commit whatever the position is. */
export const protocolVersion = 2;
/** What one answer to `read` holds at most, whatever the budget asks; a first record is still admitted whatever its size. */
export const readLimits = { records: 4_000, bytes: 4 * 1024 * 1024 } as const;

const sequenceMax = 2n ** 63n - 1n;
const sequence = z
  .string()
  .regex(/^[0-9]{1,19}$/)
  .transform(BigInt)
  .refine((value) => value <= sequenceMax);
const length = z.int().nonnegative();
const nullableLength = z.int().min(-1);
/** Alternating names and value lengths: order is kept. */
const headerLengths = z.array(z.union([z.string(), length]));
const topic = z.string().regex(/^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/);
const partition = z.int().nonnegative();
const id = z.int().nonnegative();
const group = z.string().min(1).max(255);
const checkpoint = z.object({ group, topic, partition, nextSequence: sequence, metadata: z.string().max(4_096) });
const expected = checkpoint.omit({ metadata: true });
const description = z.object({ topic: z.string(), incarnation: z.string(), partitionCount: z.int() });

export const requestSchema = z.discriminatedUnion('op', [
  z.object({ op: z.literal('hello'), id, protocol: z.int(), pid: z.int() }),
  z.object({ op: z.literal('createTopic'), id, topic, partitionCount: z.int().positive() }),
  z.object({ op: z.literal('topics'), id }),
  z.object({
    op: z.literal('commit'),
    id,
    records: z.array(z.tuple([topic, partition, nullableLength, length, headerLengths])),
    checkpoints: z.array(checkpoint),
    expected: expected.optional(),
  }),
  z.object({
    op: z.literal('read'),
    id,
    topic,
    partition,
    from: sequence,
    records: z.int().positive().max(readLimits.records),
    bytes: z.int().nonnegative().max(readLimits.bytes),
  }),
  z.object({ op: z.literal('bounds'), id, topic, partition }),
  z.object({ op: z.literal('checkpoint'), id, group, topic, partition }),
  z.object({ op: z.literal('wait'), id, topic, partition, end: sequence }),
  z.object({ op: z.literal('cancel'), id }),
  z.object({ op: z.literal('yield'), id }),
]);
export type Request = z.infer<typeof requestSchema>;
export type RequestOf<Op extends Request['op']> = Extract<Request, { op: Op }>;

export const resultSchemas = {
  hello: z.object({ protocol: z.int(), pid: z.int(), keeps: z.boolean() }),
  createTopic: description,
  topics: z.array(description),
  commit: z.null(),
  read: z.array(z.tuple([sequence, z.number(), nullableLength, length, headerLengths])),
  bounds: z.object({ startSequence: sequence, endSequence: sequence }),
  checkpoint: checkpoint.nullable(),
  wait: z.null(),
  yield: z.null(),
} as const;
export type ResultOf<Op extends keyof typeof resultSchemas> = z.infer<(typeof resultSchemas)[Op]>;

const carriedError = z.object({
  code: z.string(),
  message: z.string(),
  cause: z.enum(['input', 'configuration', 'environment', 'defect']),
  retryable: z.boolean(),
  summary: z.string(),
  remedy: z.string(),
  details: z.array(z.tuple([z.string(), z.enum(['plain', 'bigint']), z.union([z.string(), z.number(), z.boolean()])])),
});

/** Every frame from the owner: an answer, or that it stops owning, with or without a successor at hand. */
export const answerSchema = z.union([
  z.object({ id, result: z.unknown().refine((value) => value !== undefined) }),
  z.object({ id, error: carriedError }),
  z.object({ goodbye: z.enum(['yielded', 'closed']) }),
]);
type Answer = z.infer<typeof answerSchema>;
export type Goodbye = Extract<Answer, { goodbye: string }>['goodbye'];

/** JSON has no bigint: sequences travel as text. */
export function wireSequence(value: bigint): string {
  return value.toString();
}

export function wireCheckpoint({ group: name, topic: topicName, partition: index, nextSequence, metadata }: GroupCheckpoint): object {
  return { group: name, topic: topicName, partition: index, nextSequence: wireSequence(nextSequence), metadata };
}

export function wireExpected({ group: name, topic: topicName, partition: index, nextSequence }: ExpectedPosition): object {
  return { group: name, topic: topicName, partition: index, nextSequence: wireSequence(nextSequence) };
}

type Content = Pick<StoredRecord, 'key' | 'value' | 'headers'>;
type PackedContent = readonly [keyLength: number, valueLength: number, headers: readonly (string | number)[]];

function packContent({ key, value, headers }: Content, body: Buffer[]): PackedContent {
  if (key !== null) body.push(key);
  body.push(value);
  const lengths: (string | number)[] = [];
  for (const [name, content] of headers) {
    lengths.push(name, content.length);
    body.push(content);
  }
  return [key?.length ?? -1, value.length, lengths];
}

export function packAppends(records: readonly AppendRecord[], body: Buffer[]): readonly unknown[] {
  return records.map((record) => [record.topic, record.partition, ...packContent(record, body)]);
}

export function packStored(records: readonly StoredRecord[], body: Buffer[]): readonly unknown[] {
  return records.map((record) => [wireSequence(record.sequence), record.appendTimeMs, ...packContent(record, body)]);
}

export function unpackAppends(packed: RequestOf<'commit'>['records'], body: Buffer): readonly AppendRecord[] {
  const take = takingFrom(body);
  const records = packed.map(([topicName, index, ...content]) => ({ topic: topicName, partition: index, ...unpackContent(content, take) }));
  take.end();
  return records;
}

export function unpackStored(packed: ResultOf<'read'>, body: Buffer): readonly StoredRecord[] {
  const take = takingFrom(body);
  const records = packed.map(([number, appendTimeMs, ...content]) => ({ sequence: number, appendTimeMs, ...unpackContent(content, take) }));
  take.end();
  return records;
}

type Taking = { readonly bytes: (length: number) => Buffer; readonly end: () => void };

function takingFrom(body: Buffer): Taking {
  let offset = 0;
  return {
    bytes: (count) => {
      offset += count;
      return body.subarray(offset - count, offset);
    },
    // Lengths are not negative: if they add up, every one of them lay within the body.
    end: () => {
      if (offset === body.length) return;
      throw logError('LS_LOG_PROTOCOL_BROKEN', 'The lengths in a header do not add up to the body of its frame.');
    },
  };
}

function unpackContent([keyLength, valueLength, lengths]: readonly [number, number, readonly (string | number)[]], take: Taking): Content {
  const key = keyLength === -1 ? null : take.bytes(keyLength);
  const value = take.bytes(valueLength);
  return { key, value, headers: unpackHeaders(lengths, take) };
}

function unpackHeaders(lengths: readonly (string | number)[], take: Taking): Headers {
  const headers = new Map<string, Buffer>();
  for (let index = 0; index < lengths.length; index += 2) {
    const [name, count] = [lengths[index], lengths[index + 1]];
    if (typeof name !== 'string' || typeof count !== 'number') {
      throw logError('LS_LOG_PROTOCOL_BROKEN', 'The headers of a record are not names with lengths.');
    }
    headers.set(name, take.bytes(count));
  }
  return headers;
}

const wireMessageLengthMax = 10_000;

/** An error as it crosses the socket. One that has no code of its own is named by its message. */
export function wireError(error: unknown): z.infer<typeof carriedError> {
  const known = error instanceof LabelstreamError;
  const message = (error instanceof Error ? error.message : String(error)).slice(0, wireMessageLengthMax);
  const { code, description: described, details } = known
    ? error
    : { code: 'LS_LOG_REQUEST_FAILED', description: logErrors.LS_LOG_REQUEST_FAILED, details: {} };
  return {
    code,
    message,
    ...described,
    details: Object.entries(details).map(([name, value]) =>
      typeof value === 'bigint' ? [name, 'bigint', wireSequence(value)] : [name, 'plain', value],
    ),
  };
}

export function errorFromWire({ code, message, details, ...described }: z.infer<typeof carriedError>): LabelstreamError {
  const entries = details.map(([name, type, value]) => [name, type === 'bigint' ? BigInt(value) : value] as const);
  return new LabelstreamError(code, described, message, Object.fromEntries(entries));
}

/** Throws LS_LOG_PROTOCOL_BROKEN where the other side did not speak the protocol. */
export function parsed<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const outcome = schema.safeParse(value);
  if (outcome.success) return outcome.data;
  throw logError('LS_LOG_PROTOCOL_BROKEN', `A header is not one of the protocol's: ${z.prettifyError(outcome.error).slice(0, 300)}`);
}
