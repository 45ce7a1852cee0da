/** How dead letters are shown: to programs in full, to people in short. */
import type { Access } from '../../open-access.ts';
import { shownContent } from '../decoded.ts';
import { eventText } from '../event-text.ts';
import { clipped } from '../output.ts';
import type { KnownLetter } from './history.ts';

const timeText = (timeMs: number): string => new Date(timeMs).toISOString();

/** Without the record itself. */
export function letterObject({ letter, item, state, redrive }: KnownLetter): Readonly<Record<string, unknown>> {
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

function parsed(results: string | undefined): unknown {
  try {
    return results === undefined ? null : (JSON.parse(results) as unknown);
  } catch {
    return results;
  }
}

export const letterHead = ['ID', 'PLACE', 'STATE', 'APPENDED', 'CODE', 'STEPS', 'ATTEMPTS', 'ITEM', 'REASON'] as const;
const itemLength = 40;
const reasonLength = 60;

export function letterRow({ letter, item, state }: KnownLetter): readonly (string | number)[] {
  const { id, record, code, routeSteps, stage, attempts, message } = letter;
  const steps = routeSteps?.join(' ') ?? (stage === 'extract' ? 'all' : stage);
  return [id, `${record.partition}:${record.sequence}`, state, timeText(record.appendTimeMs), code, clipped(steps, itemLength), attempts, clipped(item ?? '', itemLength), clipped(message, reasonLength)];
}

/** The record with its headers: decoded where it is an event, otherwise its bytes. */
export async function recordObject({ codec }: Access, { letter: { record } }: KnownLetter, signal: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
  const { event } = await shownContent(codec, record.value, signal);
  return {
    headers: Object.fromEntries([...record.headers].map(([name, value]) => [name, value.toString()])),
    schema: event?.schema ?? null,
    value: event?.event ?? record.value,
  };
}

export async function letterLines({ codec }: Access, known: KnownLetter, signal: AbortSignal): Promise<readonly string[]> {
  const { letter, item, state, redrive } = known;
  const { id, code, message, stage, task, attempts, routeSteps, results, origin, read, record } = letter;
  const { event, note } = await shownContent(codec, record.value, signal);
  const redriven = redrive === undefined ? undefined : `${redrive.times === 1 ? 'once' : `${redrive.times} times`}, last at ${timeText(redrive.appendTimeMs)} as ${redrive.partition}:${redrive.sequence}`;
  const entries: readonly (readonly [string, string | undefined])[] = [
    ['id', `${id} (${record.partition}:${record.sequence} of dead-letters)`],
    ['state', state],
    ['appended', timeText(record.appendTimeMs)],
    ['error', `${code} ${message}`],
    ['stage', `${stage}${task === undefined ? '' : `, task ${task}`}, ${attempts === 1 ? '1 attempt' : `${attempts} attempts`}`],
    ['steps', routeSteps?.join(', ') ?? 'all of the event'],
    ['labels', results],
    ['item', item],
    ['origin', origin === undefined ? undefined : `${origin.partition}:${origin.sequence} of ${origin.topic}, appended ${timeText(origin.appendTime)}`],
    ['read', read === undefined ? undefined : `${read.partition}:${read.sequence} of ${read.topic}`],
    ['redriven', redriven],
    ['content', event === undefined ? note : clipped(eventText(event), 1_000)],
  ];
  return entries.flatMap(([name, text]) => (text === undefined ? [] : [`${name.padEnd(9)} ${text}`]));
}
