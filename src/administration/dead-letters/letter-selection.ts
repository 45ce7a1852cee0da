/** Which dead letters are meant. */
import type { Configuration } from '../../config/load.ts';
import { isTopicNamed } from '../../config/topic-names.ts';
import type { KnownLetter, LetterState } from './history.ts';

type Letter = KnownLetter['letter'];

/** Nothing said, or none in a list: all. */
export type LetterFilters = {
  /** Their id, or partition:sequence. */
  readonly ids?: readonly string[] | undefined;
  readonly states?: readonly LetterState[] | undefined;
  readonly code?: readonly string[] | undefined;
  readonly task?: readonly string[] | undefined;
  readonly stage?: string | undefined;
  /** source/id. */
  readonly item?: readonly string[] | undefined;
  readonly origin?: readonly OriginFilter[] | undefined;
  /** Appended at this time or later, and before the other: milliseconds since the epoch. */
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
};

export type OriginFilter = { readonly topic: string; readonly partition?: number | undefined; readonly sequence?: bigint | undefined };

type Names = Pick<Configuration, 'transport'>;

export type LetterSelection = {
  readonly sinceMs: number | undefined;
  /** Whether anything but ids and states narrows it. */
  readonly isNarrowed: boolean;
  readonly matches: (known: KnownLetter, configuration: Names) => boolean;
  /** Whether it is named, and only its state is another. */
  readonly isOtherwise: (known: KnownLetter, configuration: Names) => boolean;
};

export function letterSelection(filters: LetterFilters): LetterSelection {
  const { ids = [], states, code = [], task = [], stage, item = [], origin = [], sinceMs, untilMs } = filters;
  const named = new Set(ids);
  const isAmong = (chosen: readonly string[], value: string | undefined): boolean => chosen.length === 0 || (value !== undefined && chosen.includes(value));
  const isInState = ({ state }: KnownLetter): boolean => states === undefined || states.includes(state);
  const fits = ({ letter, item: itemId }: KnownLetter, configuration: Names): boolean =>
    (named.size === 0 || namesOf(letter).some((name) => named.has(name))) &&
    isAmong(code, letter.code) &&
    isAmong(task, letter.task) &&
    (stage === undefined || letter.stage === stage) &&
    isAmong(item, itemId) &&
    (origin.length === 0 || origin.some((filter) => isFrom(filter, letter.origin, configuration))) &&
    (sinceMs === undefined || letter.record.appendTimeMs >= sinceMs) &&
    (untilMs === undefined || letter.record.appendTimeMs < untilMs);
  return {
    sinceMs,
    isOtherwise: (known, configuration) => named.size > 0 && !isInState(known) && fits(known, configuration),
    isNarrowed: [code, task, item, origin].some(({ length }) => length > 0) || [sinceMs, untilMs, stage].some((value) => value !== undefined),
    matches: (known, configuration) => isInState(known) && fits(known, configuration),
  };
}

/** By which a person may name it. */
export function namesOf({ id, record }: Letter): readonly string[] {
  return [id, `${record.partition}:${record.sequence}`];
}

function isFrom({ topic, partition, sequence }: OriginFilter, origin: Letter['origin'], configuration: Names): boolean {
  return (
    origin !== undefined &&
    isTopicNamed(configuration, topic, origin.topic) &&
    (partition === undefined || origin.partition === partition) &&
    (sequence === undefined || origin.sequence === sequence)
  );
}

const originPattern = /^([^:]+)(?::(\d{1,10})(?::(\d{1,18}))?)?$/;

/** Of topic, topic:partition or topic:partition:sequence; undefined where it is none. */
export function originFilterOf(text: string): OriginFilter | undefined {
  const match = originPattern.exec(text);
  if (match === null) return undefined;
  const [, topic = '', partition, sequence] = match;
  return { topic, partition: partition === undefined ? undefined : Number(partition), sequence: sequence === undefined ? undefined : BigInt(sequence) };
}
