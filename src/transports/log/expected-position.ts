/**
 * What a transaction expects is checked when it is handed over, against the positions that everything handed over before leaves behind, durable
 * yet or not: rounds keep the order of arrival, and where one of them fails nothing after it is committed either.
 */
import { pipelineError } from '../../core/errors/pipeline.ts';
import { checkpointKey, type LogState } from './log-state.ts';
import type { ExpectedPosition, LogTransaction } from './log-store.ts';

/** Throws LS_TRANSPORT_FENCED; otherwise the transaction counts as handed over. */
export type AdmitTransaction = (transaction: LogTransaction) => void;

export function createAdmission(state: LogState): AdmitTransaction {
  const handedOver = new Map<string, bigint>();
  return ({ checkpoints, expected }) => {
    if (expected !== undefined) {
      const key = checkpointKey(expected.group, expected);
      requireExpected(expected, handedOver.get(key) ?? state.checkpoints.get(key)?.nextSequence);
    }
    for (const checkpoint of checkpoints) handedOver.set(checkpointKey(checkpoint.group, checkpoint), checkpoint.nextSequence);
  };
}

/** @param nextSequence where the group stands, which the error tells; undefined: nowhere yet. */
export function requireExpected({ topic, nextSequence: wanted }: ExpectedPosition, nextSequence = 0n): void {
  if (nextSequence === wanted) return;
  throw pipelineError('LS_TRANSPORT_FENCED', `Another process has claimed the topic ${topic} since; nothing more was appended.`, { topic, nextSequence });
}
