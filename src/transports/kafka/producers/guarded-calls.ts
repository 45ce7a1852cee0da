/**
 * What the calls of a producer have in common, whatever its driver. After a call failed nothing is known of what got through, nor of where the
 * driver's sequence numbers stand; kafkajs sets them back, and a broker that had taken the batch would take another with the same numbers for its
 * repetition and drop it. So the first failure ends the producer: every later call is refused. Closing ends what is in flight, without waiting for
 * a broker that does not answer.
 */
import type { Clock } from '../../../core/clock.ts';
import { LabelstreamError } from '../../../core/errors/error.ts';
import { kafkaError } from '../../../core/errors/kafka.ts';
import { pipelineError } from '../../../core/errors/pipeline.ts';
import { asKafkaError, type KafkaCall } from '../kafka-errors.ts';

export type GuardedCalls = {
  /** The first call: what fails in it is closed. */
  readonly open: <Result>(work: () => Promise<Result>) => Promise<Result>;
  readonly run: (work: () => Promise<void>) => Promise<void>;
  /** Refuses, LS_TRANSPORT_CALL_OVERLAP, while another is running. */
  readonly runAlone: (work: () => Promise<void>) => Promise<void>;
  readonly close: () => Promise<void>;
};

/** What a driver takes to end its connections; a broker that hangs is not waited for any longer. */
const disconnectMsMax = 2_000;

export function guardCalls(call: KafkaCall, clock: Clock, disconnect: () => Promise<void>): GuardedCalls {
  let ended: Error | undefined;
  const closing = Promise.withResolvers<never>();
  // Nobody may be waiting when it is closed.
  closing.promise.catch(nothing);
  let closed: Promise<void> | undefined;

  const run = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (ended !== undefined) throw refusal(ended, call);
    const running = work();
    try {
      return await Promise.race([running, closing.promise]);
    } catch (error) {
      ended ??= asKafkaError(error, call);
      // The driver may be trying still: what it connects to meanwhile has to end too.
      void running.then(nothing, nothing).then(() => (closed === undefined ? undefined : disconnect().catch(nothing)));
      throw asKafkaError(error, call);
    }
  };

  const close = async () => {
    const error = pipelineError('LS_TRANSPORT_CLOSED', `The producer was closed: could not ${call.operation}.`);
    ended ??= error;
    closing.reject(error);
    const patience = new AbortController();
    await Promise.race([disconnect().catch(nothing), clock.sleep(disconnectMsMax, patience.signal)]);
    patience.abort();
  };

  let isAlone = true;
  return {
    open: async (work) => {
      try {
        return await run(work);
      } catch (error) {
        await (closed ??= close());
        throw error;
      }
    },
    run,
    runAlone: async (work) => {
      if (!isAlone) throw pipelineError('LS_TRANSPORT_CALL_OVERLAP', `Could not ${call.operation} while the call before had not ended.`);
      isAlone = false;
      try {
        await run(work);
      } finally {
        isAlone = true;
      }
    },
    close: () => (closed ??= close()),
  };
}

const nothing = () => undefined;

function refusal(ended: Error, call: KafkaCall): Error {
  const final = ended instanceof LabelstreamError && (ended.code === 'LS_TRANSPORT_FENCED' || ended.code === 'LS_TRANSPORT_CLOSED');
  if (final) return ended;
  return kafkaError('LS_KAFKA_REQUEST', `Could not ${call.operation}: an earlier call of this producer failed, and it takes no other.`, {}, { cause: ended });
}
