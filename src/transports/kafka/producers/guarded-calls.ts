/**
 * What the calls of a producer have in common, whatever its driver. After a call failed nothing is known of what got through, nor of where the
 * driver's sequence numbers stand; kafkajs sets them back, and a broker that had taken the batch would take another with the same numbers for its
 * repetition and drop it. So the first failure ends the producer: every later call is refused. Closing ends what is in flight, without waiting for
 * a broker that does not answer.
 */
import { LabelstreamError } from '../../../core/errors/error.ts';
import { kafkaError } from '../../../core/errors/kafka.ts';
import { pipelineError } from '../../../core/errors/pipeline.ts';
import { asKafkaError, type KafkaCall } from '../kafka-errors.ts';
import type { KafkaOptions } from '../kafka-options.ts';

export type GuardedCalls = {
  /** The first call: what fails in it is closed. */
  readonly open: <Result>(work: () => Promise<Result>) => Promise<Result>;
  readonly run: (work: () => Promise<void>) => Promise<void>;
  /** Refuses, LS_TRANSPORT_CALL_OVERLAP, while another is running; tells the observer how it ended. */
  readonly transact: (work: () => Promise<void>) => Promise<void>;
  readonly close: () => Promise<void>;
};

/** What a driver takes to end its connections; a broker that hangs is not waited for any longer. */
const disconnectMsMax = 2_000;

/** @param closing closes what is being opened: nobody has it yet who could. */
export function guardCalls(call: KafkaCall, { clock, observer }: Pick<KafkaOptions, 'clock' | 'observer'>, disconnect: () => Promise<void>, closing: AbortSignal): GuardedCalls {
  let ended: Error | undefined;
  const inFlight = new Set<(error: Error) => void>();
  let closed: Promise<void> | undefined;

  const run = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (ended !== undefined) throw refusal(ended, call);
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    inFlight.add(reject);
    const over = work().then(resolve, reject);
    try {
      return await promise;
    } catch (error) {
      ended ??= asKafkaError(error, call);
      // The driver may be trying still: what it connects to meanwhile has to end too.
      void over.then(() => (closed === undefined ? undefined : disconnect().catch(nothing)));
      throw asKafkaError(error, call);
    } finally {
      inFlight.delete(reject);
    }
  };

  const close = async () => {
    const error = pipelineError('LS_TRANSPORT_CLOSED', `The producer was closed: could not ${call.operation}.`);
    ended ??= error;
    for (const reject of inFlight) reject(error);
    const patience = new AbortController();
    await Promise.race([disconnect().catch(nothing), clock.sleep(disconnectMsMax, patience.signal)]);
    patience.abort();
  };

  let transacting = false;
  return {
    open: async (work) => {
      const end = (): void => void (closed ??= close());
      if (closing.aborted) end();
      closing.addEventListener('abort', end, { once: true });
      try {
        return await run(work);
      } catch (error) {
        await (closed ??= close());
        throw error;
      } finally {
        closing.removeEventListener('abort', end);
      }
    },
    run,
    transact: async (work) => {
      if (transacting) throw pipelineError('LS_TRANSPORT_CALL_OVERLAP', `Could not ${call.operation} while the call before had not ended.`);
      transacting = true;
      const begunMs = clock.elapsedMs();
      let result: 'committed' | 'failed' = 'failed';
      try {
        await run(work);
        result = 'committed';
      } finally {
        transacting = false;
        observer.transactionDone(result, clock.elapsedMs() - begunMs);
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
