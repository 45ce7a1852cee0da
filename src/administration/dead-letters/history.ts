/**
 * What became of dead letters. A redrive marks its dead letter by the record that it appends; a dead letter that came of that record says that
 * it failed again; and the committed position of EXTRACT says whether the record was handled at all.
 */
import type { Access } from '../../open-access.ts';
import type { FeatureEvent } from '../../core/events.generated.ts';
import type { ConsumedRecord, TopicPartition } from '../../core/records.ts';
import { topics } from '../../core/topics.ts';
import { headerNames } from '../../pipeline/headers.ts';
import { readRange } from '../../pipeline/read-range.ts';
import { readDeadLetter, type DeadLetter } from '../../pipeline/redrive.ts';
import type { Landmark } from '../../pipeline/transport.ts';
import { eventIn } from '../../codec/decoded.ts';

/**
 * `open`: never redriven. `redriven`: EXTRACT has not come to it yet. `failed`: it failed again, and a newer dead letter is open in its place.
 * `resolved`: EXTRACT has handled it, and no dead letter has come of it up to now.
 */
export const letterStates = ['open', 'redriven', 'failed', 'resolved'] as const;
export type LetterState = (typeof letterStates)[number];

type Redrive = { readonly partition: number; readonly sequence: bigint; readonly appendTimeMs: number; readonly times: number };

export type KnownLetter = {
  readonly letter: DeadLetter;
  /** source/id; of a record that is no event, its key. */
  readonly item: string | undefined;
  readonly state: LetterState;
  readonly redrive: Redrive | undefined;
};

type History = {
  /** The last one of each dead letter, by its id. */
  readonly redrives: ReadonlyMap<string, Redrive>;
  /** Redriven records that a dead letter came of. */
  readonly failed: ReadonlySet<string>;
  /** What EXTRACT has handled of each partition of redrive. */
  readonly handled: ReadonlyMap<number, bigint>;
};

/** Each dead letter once, in the order of each partition. */
export async function* knownLetters(access: Access, signal: AbortSignal, from: Landmark | undefined): AsyncGenerator<KnownLetter> {
  const history = await readHistory(access, signal);
  for await (const letter of deadLetters(access, signal, from)) {
    const redrive = history.redrives.get(letter.id);
    yield { letter, item: await itemOf(access, letter, signal), redrive, state: redrive === undefined ? 'open' : stateOf(redrive, history) };
  }
}

/** Each once: copies have one id. */
export async function* deadLetters(access: Access, signal: AbortSignal, from?: Landmark): AsyncGenerator<DeadLetter> {
  const seen = new Set<string>();
  for await (const record of recordsOf(access, topics.deadLetters, signal, from)) {
    const letter = readDeadLetter(record);
    if (seen.has(letter.id)) continue;
    seen.add(letter.id);
    yield letter;
  }
}

/** Inputs are keyed by item, features by family. */
async function itemOf(access: Access, { stage, record }: DeadLetter, signal: AbortSignal): Promise<string | undefined> {
  return stage === 'cluster' ? (await featureOf(access, record, signal))?.itemId : record.key?.toString();
}

function stateOf({ partition, sequence }: Redrive, { failed, handled }: History): LetterState {
  if (failed.has(placeOf({ partition, sequence }))) return 'failed';
  return (handled.get(partition) ?? -1n) >= sequence ? 'resolved' : 'redriven';
}

/** In this order: what is handled at the first look has left its dead letters before the last. */
async function readHistory(access: Access, signal: AbortSignal): Promise<History> {
  const { transport, configuration } = access;
  const { incarnation, partitionCount } = await transport.describeTopic(topics.redrive);
  const handled = new Map<number, bigint>();
  for (let partition = 0; partition < partitionCount; partition++) {
    const checkpoint = await transport.committed(`${configuration.group}-extract`, { topic: topics.redrive, partition });
    if (checkpoint !== undefined) handled.set(partition, checkpoint.sequence);
  }
  const redrives = new Map<string, Redrive>();
  for await (const { partition, sequence, appendTimeMs, headers } of recordsOf(access, topics.redrive, signal)) {
    const id = headers.get(headerNames.redriveOf)?.toString();
    if (id !== undefined) redrives.set(id, { partition, sequence, appendTimeMs, times: (redrives.get(id)?.times ?? 0) + 1 });
  }
  const failed = new Set<string>();
  if (redrives.size > 0) {
    for await (const record of recordsOf(access, topics.deadLetters, signal)) {
      const read = readDeadLetter(record).read;
      // What CLUSTER refused it read from `features`; the feature itself says which record EXTRACT made it of.
      const cause = read?.topic === topics.features ? (await featureOf(access, record, signal))?.read : read;
      if (cause?.incarnation === incarnation) failed.add(placeOf(cause));
    }
  }
  return { redrives, failed, handled };
}

function placeOf({ partition, sequence }: { readonly partition: number; readonly sequence: bigint }): string {
  return `${partition}:${sequence}`;
}

/** Undefined where the value holds none. */
export async function featureOf({ codec }: Pick<Access, 'codec'>, { value }: Pick<ConsumedRecord, 'value'>, signal: AbortSignal): Promise<FeatureEvent | undefined> {
  const decoded = await eventIn(codec, value, signal);
  return decoded?.schema === 'FeatureEvent' ? decoded.event : undefined;
}

async function* recordsOf({ transport }: Access, topic: string, signal: AbortSignal, from?: Landmark): AsyncGenerator<ConsumedRecord> {
  const { partitionCount } = await transport.describeTopic(topic);
  for (let partition = 0; partition < partitionCount; partition++) {
    const place: TopicPartition = { topic, partition };
    const { start, end } = await transport.bounds(place);
    const range = { from: from === undefined ? start : await transport.boundAt(place, from), until: end };
    for await (const records of readRange(transport, place, range, signal)) yield* records;
  }
}
