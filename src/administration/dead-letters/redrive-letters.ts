/** Gives the inputs of dead letters to EXTRACT once more, for the steps that failed. */
import type { Access } from '../../open-access.ts';
import type { TopicPartition } from '../../core/records.ts';
import { topics } from '../../core/topics.ts';
import { createBatchAppender, type BatchAppender } from '../../pipeline/batch-appender.ts';
import { redriveRecord } from '../../pipeline/redrive.ts';
import { findInput } from './find-input.ts';
import { deadLetters, knownLetters, type KnownLetter } from './history.ts';
import { namesOf, type LetterSelection } from './letter-selection.ts';

export type RedriveRequest = {
  readonly selection: LetterSelection;
  /** That have to be there. */
  readonly ids: readonly string[];
  /** Nothing is appended. */
  readonly dryRun: boolean;
};

export type RedriveObserver = {
  /** Dead letters looked at, selected or not. */
  readonly seen?: (count: number) => void;
  /** Its input is in the log; with `dryRun` it would be. */
  readonly redriven?: (known: KnownLetter) => void;
  readonly skipped?: (known: KnownLetter, reason: string) => void;
  /** Before the redrive rejects. */
  readonly interrupted?: (progress: Pick<BatchAppender, 'appended' | 'pending'>, error: unknown) => void;
};

export type RedriveOutcome =
  /** There are no such dead letters, and nothing was done. */
  | { readonly kind: 'missing'; readonly ids: readonly string[] }
  | {
      readonly kind: 'done';
      readonly seen: number;
      readonly selected: number;
      readonly redriven: number;
      readonly skipped: number;
      /** Where something was appended. */
      readonly places: readonly TopicPartition[];
    };

/** Rejects with LS_TRANSPORT_FENCED where another redrive has begun meanwhile, and knows what this one has done. */
export async function redriveLetters(access: Access, request: RedriveRequest, observer: RedriveObserver, signal: AbortSignal): Promise<RedriveOutcome> {
  const missing = await missingIds(access, request.ids, signal);
  if (missing.length > 0) return { kind: 'missing', ids: missing };
  // The claim comes before the history: whoever read an older one can append nothing more, and what it appended is in this one.
  const claim = request.dryRun ? undefined : await access.transport.claim(topics.redrive);
  try {
    const appender = createBatchAppender(claim ?? access.transport, claim !== undefined);
    return await redriveSelected(access, appender, request.selection, observer, signal);
  } finally {
    await claim?.close();
  }
}

async function missingIds(access: Access, ids: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
  const missing = new Set(ids);
  if (missing.size === 0) return [];
  for await (const letter of deadLetters(access, signal)) {
    for (const name of namesOf(letter)) missing.delete(name);
    if (missing.size === 0) break;
  }
  return [...missing];
}

async function redriveSelected(access: Access, appender: BatchAppender, selection: LetterSelection, observer: RedriveObserver, signal: AbortSignal): Promise<RedriveOutcome> {
  const { partitionCount } = await access.transport.describeTopic(topics.redrive);
  const places = new Map<number, TopicPartition>();
  let [seen, selected, skipped] = [0, 0, 0];
  const from = selection.sinceMs === undefined ? undefined : { appendTimeMs: selection.sinceMs };
  try {
    for await (const known of knownLetters(access, signal, from)) {
      observer.seen?.(++seen);
      if (!selection.matches(known, access.configuration)) {
        if (!selection.isOtherwise(known, access.configuration)) continue;
        skipped += 1;
        observer.skipped?.(known, 'it was redriven before, and is asked for again only by `again`');
        continue;
      }
      selected += 1;
      const found = await findInput(access, known.letter, signal);
      if (found.kind === 'found') {
        const record = redriveRecord(known.letter, found.redriven, (known.redrive?.times ?? 0) + 1, partitionCount);
        places.set(record.partition, { topic: record.topic, partition: record.partition });
        await appender.append(record, () => observer.redriven?.(known));
        continue;
      }
      skipped += 1;
      observer.skipped?.(known, found.reason);
    }
    await appender.flush();
  } catch (error) {
    observer.interrupted?.(appender, error);
    throw error;
  }
  return { kind: 'done', seen, selected, redriven: appender.appended(), skipped, places: [...places.values()] };
}
