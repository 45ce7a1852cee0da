/** A dead letter in full, for programs. */
import type { KnownLetter } from './history.ts';

/** Without the record itself. */
export function letterObject({ letter, item, state, redrive }: KnownLetter) {
  const { id, code, message, stage, task, attempts, routeSteps, results, origin, read, record } = letter;
  return {
    id,
    state,
    code,
    message,
    stage,
    task: task ?? null,
    attempts,
    routeSteps: routeSteps ?? null,
    results: parsed(results),
    item: item ?? null,
    origin: origin === undefined ? null : { ...origin, appendTime: timeText(origin.appendTime) },
    read: read ?? null,
    partition: record.partition,
    sequence: record.sequence,
    appendTime: timeText(record.appendTimeMs),
    redriven: redrive === undefined ? null : { times: redrive.times, partition: redrive.partition, sequence: redrive.sequence, appendTime: timeText(redrive.appendTimeMs) },
  };
}

export function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

function parsed(results: string | undefined): unknown {
  try {
    return results === undefined ? null : (JSON.parse(results) as unknown);
  } catch {
    return results;
  }
}
