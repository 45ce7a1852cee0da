/** The brokers are waited for, however long (SEMANTICS.md, rule 22): who ends instead is started again by a supervisor, over and over. */
import { starting } from './observation/broker-watch.ts';
import { backOffMs, codeOf } from './pipeline/retry.ts';
import type { ProcessContext } from './process-context.ts';

const patience = { baseMs: 250, capMs: 5_000 };
const away: ReadonlySet<unknown> = new Set(['LS_KAFKA_UNREACHABLE', 'LS_KAFKA_REQUEST']);

/** Repeats the action until it gives something, or fails in a way that waiting does not mend. Rejects with the signal's reason when that aborts. */
export async function untilBrokersAnswer<Result>({ clock, brokers }: Pick<ProcessContext, 'clock' | 'brokers'>, signal: AbortSignal, action: () => Promise<Result>): Promise<Result> {
  try {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await action();
      } catch (error) {
        signal.throwIfAborted();
        if (!away.has(codeOf(error))) throw error;
        brokers.away(starting, error);
        await clock.sleep(backOffMs(patience, attempt, Math.random), signal);
        signal.throwIfAborted();
      }
    }
  } finally {
    if (signal.aborted) brokers.givenUp(starting);
    else brokers.back(starting);
  }
}
