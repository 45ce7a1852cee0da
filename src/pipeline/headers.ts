/** Every header that labelstream writes, and the codec of the one that travels through all stages. */
import type { Origin } from '../core/events.generated.ts';
import type { ConsumedRecord, Headers } from '../core/records.ts';

export const headerNames = {
  /** Where the first input of a chain was read (SEMANTICS.md, rule 2); on parked, redriven, replayed and bridged records. */
  origin: 'labelstream.origin',
  errorCode: 'labelstream.error.code',
  errorMessage: 'labelstream.error.message',
  errorStage: 'labelstream.error.stage',
  errorTask: 'labelstream.error.task',
  errorAttempt: 'labelstream.error.attempt',
  errorSchemaId: 'labelstream.error.schema-id',
  /** The steps that a redrive runs, as `route/step`, separated by commas. */
  errorRouteSteps: 'labelstream.error.route-steps',
  /** JSON: the top labels of earlier steps that those steps read. */
  errorResults: 'labelstream.error.results',
  readTopic: 'labelstream.read.topic',
  readIncarnation: 'labelstream.read.incarnation',
  readPartition: 'labelstream.read.partition',
  readSequence: 'labelstream.read.sequence',
  /** On redriven and replayed records: the steps to run, as `route/step`, separated by commas; absent: all. */
  runRouteSteps: 'labelstream.run.route-steps',
  /** JSON: the top labels that earlier steps gave, which those steps read. */
  runResults: 'labelstream.run.results',
  /** Attempts made before; also on the features that come of it. */
  runAttempts: 'labelstream.run.attempts',
  /** The id of the dead letter that this record was made of: what marks it as redriven. */
  redriveOf: 'labelstream.redrive.of',
  /** On redriven records: 1 for the first redrive of that dead letter. Those who redrive it at once, where nothing fences them, count alike. */
  redriveNumber: 'labelstream.redrive.number',
  /** On the features and dead letters that come of a redriven record: which redrive of which dead letter, and which of its features. */
  redriveCause: 'labelstream.redrive.cause',
} as const;

/** A longer one is nobody's origin: topic names and incarnations are short. */
export const originBytesMax = 1_024;
const originPattern = /^(\d{1,10}) (\d{1,19}) (\d{1,16}) (\S+) (\S+)$/u;
/** What the schema of Origin holds and its codec writes: an int, a long, a timestamp (avro-guard.ts). */
const partitionMax = 2 ** 31 - 1;
const sequenceMax = 2n ** 63n - 1n;
const appendTimeMsMax = 2 ** 52 - 1;

/** `partition sequence appendTime incarnation topic`: no topic and no incarnation contains a space. */
export function encodeOrigin(origin: Origin): Buffer {
  return Buffer.from(`${origin.partition} ${origin.sequence.toString()} ${origin.appendTime} ${origin.incarnation} ${origin.topic}`);
}

/** Undefined where the bytes are no origin: a producer may send anything under any name. */
export function decodeOrigin(bytes: Buffer | undefined): Origin | undefined {
  if (bytes === undefined || bytes.length > originBytesMax) return undefined;
  const match = originPattern.exec(bytes.toString());
  if (match === null) return undefined;
  const [, partitionText = '', sequenceText = '', appendTimeText = '', incarnation = '', topic = ''] = match;
  const partition = Number(partitionText);
  const sequence = BigInt(sequenceText);
  const appendTime = Number(appendTimeText);
  if (partition > partitionMax || sequence > sequenceMax || appendTime > appendTimeMsMax) return undefined;
  return { topic, incarnation, partition, sequence, appendTime };
}

/** The origin that a record brought along, otherwise its own coordinate: it is then the first input itself. */
export function originOf(record: ConsumedRecord): Origin {
  return (
    decodeOrigin(record.headers.get(headerNames.origin)) ?? {
      topic: record.topic,
      incarnation: record.incarnation,
      partition: record.partition,
      sequence: record.sequence,
      appendTime: record.appendTimeMs,
    }
  );
}

/** The record's headers with its origin among them: what a parked or redriven record carries. */
export function withOrigin(record: ConsumedRecord): Headers {
  return new Map(record.headers).set(headerNames.origin, encodeOrigin(originOf(record)));
}
