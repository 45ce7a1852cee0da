/** Dead letters a page at a time, in an order that stays: by partition, then sequence. */
import type { Access } from '../../open-access.ts';
import { knownLetters } from './history.ts';
import { letterObject } from './letter-object.ts';
import type { LetterSelection } from './letter-selection.ts';

export type LetterPlace = { readonly partition: number; readonly sequence: bigint };

export type LetterPage = {
  readonly letters: readonly ReturnType<typeof letterObject>[];
  /** The last of them, where there are more. */
  readonly next: LetterPlace | undefined;
};

/** @param after only those behind it. What is in the records is not held. */
export async function letterPage(access: Access, selection: LetterSelection, { after, limit }: { readonly after: LetterPlace | undefined; readonly limit: number }, signal: AbortSignal): Promise<LetterPage> {
  const letters: LetterPage['letters'][number][] = [];
  const from = selection.sinceMs === undefined ? undefined : { appendTimeMs: selection.sinceMs };
  for await (const known of knownLetters(access, signal, from)) {
    if (after !== undefined && !isBehind(known.letter.record, after)) continue;
    if (!selection.matches(known, access.configuration)) continue;
    const last = letters.at(-1);
    if (letters.length === limit && last !== undefined) return { letters, next: { partition: last.partition, sequence: last.sequence } };
    letters.push(letterObject(known));
  }
  return { letters, next: undefined };
}

function isBehind(place: LetterPlace, after: LetterPlace): boolean {
  return place.partition > after.partition || (place.partition === after.partition && place.sequence > after.sequence);
}
