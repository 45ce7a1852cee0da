/**
 * A member that is given many partitions opens a transactional producer for each, with connections of its own. They are initialised a few at a
 * time: brokers limit how fast connections are made, and handshakes would delay each other beyond their time-outs.
 */
import { pipelineError } from '../../../core/errors/pipeline.ts';
import type { Producers } from './producer-port.ts';

const openingsMax = 8;

/** @param closing what waits for its turn then is refused with LS_TRANSPORT_CLOSED. */
export function boundOpenings(producers: Producers, closing: AbortSignal): Producers {
  const waiting: (() => void)[] = [];
  let running = 0;
  return {
    ...producers,
    openTransactional: async (transactionalId, entitled) => {
      if (running < openingsMax) running += 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        if (closing.aborted) throw pipelineError('LS_TRANSPORT_CLOSED', `The transport was closed before the producer "${transactionalId}" was opened.`);
        return await producers.openTransactional(transactionalId, entitled);
      } finally {
        const next = waiting.shift();
        if (next === undefined) running -= 1;
        else next();
      }
    },
  };
}
