/**
 * For commands that people wait for. A broker that takes requests and answers none (stopped, stuck, behind a network that drops packets) is tried
 * request by request, for minutes. So while a call lasts the brokers are asked for something small, now and then: where none answers, the call ends. How
 * long a call may take while they answer is not limited: some wait for records, for brokers that are slow, or for other writers.
 */
import { metadataV11 } from '@platformatic/kafka';
import type { Clock } from '../../core/clock.ts';
import { kafkaError } from '../../core/errors/kafka.ts';
import type { KafkaConnection } from './connection.ts';
import { protocolCodeOf } from './kafka-errors.ts';
import type { KafkaOptions } from './kafka-options.ts';

const askEveryMs = 5_000;
const silenceMsMax = 15_000;
const retryMs = 250;

export type Guard = <Result>(call: () => Promise<Result>) => Promise<Result>;

/**
 * Calls reject with LS_KAFKA_UNREACHABLE where no broker answers for long: what was begun may go on, and the transport is to be closed.
 * @param ask rejects where no broker answers it.
 */
export function whileBrokersAnswer({ brokers, clock }: Pick<KafkaOptions, 'brokers' | 'clock'>, ask: () => Promise<unknown>): Guard {
  return async (call) => {
    const over = new AbortController();
    const silence = untilSilent(clock, ask, over.signal).then(() => {
      throw kafkaError('LS_KAFKA_UNREACHABLE', `None of the brokers ${brokers.join(', ')} has answered for ${String(silenceMsMax / 1000)} seconds.`);
    });
    try {
      return await Promise.race([call(), silence]);
    } finally {
      over.abort();
      silence.catch(() => undefined);
    }
  };
}

/** Resolves also where the signal aborts. */
async function untilSilent(clock: Clock, ask: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  for (let answered = true; answered && !signal.aborted; ) {
    await clock.sleep(askEveryMs, signal);
    const asking = new AbortController();
    answered = await Promise.race([
      untilAnswered(clock, ask, AbortSignal.any([signal, asking.signal])).then(() => true),
      clock.sleep(silenceMsMax, AbortSignal.any([signal, asking.signal])).then(() => false),
    ]);
    asking.abort();
  }
}

/** Brokers that refuse connections for a moment are asked again. */
async function untilAnswered(clock: Clock, ask: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await ask();
      return;
    } catch {
      await clock.sleep(retryMs, signal);
    }
  }
}

/** All at once, for one may be silent while the others are well. Rejects where none answers; a refusal is an answer. */
export async function askAnyBroker({ protocolAdmin: { connections } }: Pick<KafkaConnection, 'protocolAdmin'>, { brokers }: Pick<KafkaOptions, 'brokers'>): Promise<void> {
  await Promise.any(
    brokers.map(async (broker) => {
      const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(broker) ?? [];
      try {
        // About no topic.
        await metadataV11.api.async(await connections.get({ host, port: Number(port) }), [], false, false);
      } catch (error) {
        if (protocolCodeOf(error) === undefined) throw error;
      }
    }),
  );
}
