/** How dead letters are shown to people, and their records to programs. */
import type { Access } from '../../open-access.ts';
import { shownContent } from '../../codec/decoded.ts';
import { eventText } from '../event-text.ts';
import { clipped } from '../output.ts';
import type { KnownLetter } from '../../administration/dead-letters/history.ts';
import { timeText } from '../../administration/dead-letters/letter-object.ts';

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
