/** What the runner tells, as log messages: what an operator has to know of as warnings and errors, the course of things as debug. */
import type { Logger } from 'pino';
import type { Clock } from '../core/clock.ts';
import type { TopicPartition } from '../core/records.ts';
import { LabelstreamError } from '../core/errors/error.ts';
import type { RunnerObserver } from '../pipeline/observe.ts';
import { createRepeatedMessages } from './repeated-messages.ts';

export function createLogObserver(logger: Logger, stage: string, clock: Pick<Clock, 'elapsedMs'>): RunnerObserver {
  const repeated = createRepeatedMessages(clock);
  /** While what it waits for is away, every partition tries again and again. */
  const failing = (text: string) => (partition: TopicPartition, attempt: number, error: unknown) => {
    const fields = errorFields(error);
    const level = repeated.isNews(`${text} ${fields['code'] ?? fields['error'] ?? ''}`) ? 'warn' : 'debug';
    logger[level]({ ...at(partition), attempt, ...fields }, text);
  };
  const at = ({ topic, partition }: TopicPartition) => ({ stage, topic, partition });
  return {
    assigned: (partition, { sequence }) => logger.debug({ ...at(partition), sequence: String(sequence) }, 'partition assigned'),
    ended: (partition) => logger.debug(at(partition), 'partition ended'),
    polled: () => undefined,
    pollRetried: failing('reading failed, trying again'),
    processed: () => undefined,
    inFlight: () => undefined,
    delivered: () => undefined,
    deliveryRetried: failing('delivery failed, trying again'),
    deadLettered: (partition, code) => logger.debug({ ...at(partition), code }, 'dead letter'),
    parked: (partition, sequence, heldMs) => logger.info({ ...at(partition), sequence: String(sequence), heldMs: Math.round(heldMs) }, 'record parked: it held others back'),
    paused: (partition, code) => logger.error({ ...at(partition), code }, 'partition paused: most items fail with one code that they did not cause'),
    resumed: (partition) => logger.info(at(partition), 'partition resumed'),
    restoring: () => undefined,
    restored: (partition, { kept, snapshotSequence, records, durationMs }) =>
      logger.info({ ...at(partition), kept, snapshotSequence: String(snapshotSequence ?? 'none'), records, durationMs: Math.round(durationMs) }, 'state restored'),
    snapshotWritten: (partition, sequence, durationMs) =>
      logger.debug({ ...at(partition), sequence: String(sequence), durationMs: Math.round(durationMs) }, 'snapshot written'),
    snapshotFailed: (partition, error) => logger.error({ ...at(partition), ...errorFields(error) }, 'snapshot failed; the older ones serve'),
    snapshotsDiscarded: (partition, sequences) =>
      logger.warn({ ...at(partition), sequences: sequences.map(String) }, 'snapshots removed that stood above the committed position: the log has another history'),
    ownRecordAppended: (partition) => logger.debug(at(partition), 'appended a record of its own'),
    failed: (error, partition) => logger.error({ ...(partition === undefined ? { stage } : at(partition)), ...errorFields(error) }, 'partition stopped'),
    forced: (recordsInFlight) => logger.warn({ stage, recordsInFlight }, 'stop forced: these records are read again, and may be delivered twice'),
  };
}

type GenerationChange = {
  readonly family: string;
  readonly standing: 'asked for' | 'being built' | 'in force';
  readonly generation: string;
  readonly eps: number;
  readonly minPoints: number;
  readonly projectionSha256: string | null;
};

/** Of CLUSTER. */
export function createGenerationObserver(logger: Logger) {
  return {
    generationChanged: ({ standing, ...change }: GenerationChange): void => logger.info(change, `a generation of collections is ${standing}`),
    generationFailed: (family: string, error: unknown, againMs: number | undefined): void =>
      logger.error({ family, againMs, ...errorFields(error) }, 'the next generation of the collections cannot be built; the one in force goes on, and it is tried again'),
    notCarried: (error: LabelstreamError): void => logger.warn(errorFields(error), 'items cannot be in the new generation of their collection, and have left it'),
    generationHeldUp: (family: string, itemId: string): void =>
      logger.warn({ family, itemId }, 'the next generation of the collections waits: no item can be in it, this one for example; ask for another'),
  };
}

/** All hear everything, in their order. */
export function combineObservers(observers: readonly RunnerObserver[]): RunnerObserver {
  const tell =
    <Values extends readonly unknown[]>(choose: (observer: RunnerObserver) => (...values: Values) => void) =>
    (...values: Values): void => {
      for (const observer of observers) choose(observer)(...values);
    };
  return {
    assigned: tell((observer) => observer.assigned),
    ended: tell((observer) => observer.ended),
    polled: tell((observer) => observer.polled),
    pollRetried: tell((observer) => observer.pollRetried),
    processed: tell((observer) => observer.processed),
    inFlight: tell((observer) => observer.inFlight),
    delivered: tell((observer) => observer.delivered),
    deliveryRetried: tell((observer) => observer.deliveryRetried),
    deadLettered: tell((observer) => observer.deadLettered),
    parked: tell((observer) => observer.parked),
    paused: tell((observer) => observer.paused),
    resumed: tell((observer) => observer.resumed),
    restoring: tell((observer) => observer.restoring),
    restored: tell((observer) => observer.restored),
    snapshotWritten: tell((observer) => observer.snapshotWritten),
    snapshotFailed: tell((observer) => observer.snapshotFailed),
    snapshotsDiscarded: tell((observer) => observer.snapshotsDiscarded),
    ownRecordAppended: tell((observer) => observer.ownRecordAppended),
    failed: tell((observer) => observer.failed),
    forced: tell((observer) => observer.forced),
  };
}

export function errorFields(error: unknown): Readonly<Record<string, string>> {
  if (error instanceof LabelstreamError) {
    const { code, message, description, cause } = error;
    const ofCause = cause instanceof LabelstreamError ? { causeCode: cause.code, causeRemedy: cause.description.remedy } : {};
    return { code, error: message, remedy: description.remedy, ...ofCause };
  }
  return { error: error instanceof Error ? error.message : String(error) };
}
