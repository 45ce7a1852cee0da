/** Which dead letters a command is about. */
import { Option, type Command } from 'commander';
import type { Configuration } from '../../config/load.ts';
import { cliError } from '../../core/errors/cli.ts';
import { collected } from '../collect.ts';
import { parsedTime } from '../time-option.ts';
import { isTopicNamed } from '../topic-names.ts';
import { letterStates, type KnownLetter, type LetterState } from './history.ts';

export type SelectionOptions = {
  readonly code: readonly string[];
  readonly task: readonly string[];
  readonly stage?: string;
  readonly item: readonly string[];
  readonly origin: readonly string[];
  readonly since?: string;
  readonly until?: string;
};

export function withSelectionOptions(command: Command): Command {
  return command
    .option('--code <code>', 'only with this code; may be repeated', collected, [])
    .option('--task <task>', 'only of this task; may be repeated', collected, [])
    .addOption(new Option('--stage <stage>', 'only of this stage').choices(['extract', 'cluster']))
    .option('--item <item>', 'only of this item, as source/id; may be repeated', collected, [])
    .option('--origin <place>', 'only of inputs that came in at topic, topic:partition or topic:partition:sequence; may be repeated', collected, [])
    .option('--since <time>', 'only appended at this time (ISO 8601) or later')
    .option('--until <time>', 'only appended before this time');
}

type Names = Pick<Configuration, 'transport'>;

export type Selection = {
  readonly sinceMs: number | undefined;
  /** Whether any option narrows it. */
  readonly isNarrowed: boolean;
  readonly matches: (known: KnownLetter, configuration: Names) => boolean;
};

/** @param ids of dead letters, as their id or partition:sequence; none: all. */
export function selectionOf(options: SelectionOptions, ids: readonly string[], states: readonly LetterState[] = letterStates): Selection {
  const sinceMs = options.since === undefined ? undefined : parsedTime('--since', options.since);
  const untilMs = options.until === undefined ? undefined : parsedTime('--until', options.until);
  if (sinceMs !== undefined && untilMs !== undefined && sinceMs >= untilMs) {
    throw cliError('LS_CLI_USAGE', `--since ${options.since ?? ''} is not before --until ${options.until ?? ''}`);
  }
  const origins = options.origin.map(parsedOrigin);
  const named = new Set(ids);
  const isAmong = (chosen: readonly string[], value: string | undefined): boolean => chosen.length === 0 || (value !== undefined && chosen.includes(value));
  return {
    sinceMs,
    isNarrowed: [options.code, options.task, options.item, options.origin].some(({ length }) => length > 0) || [sinceMs, untilMs, options.stage].some((value) => value !== undefined),
    matches: ({ letter, item, state }, configuration) =>
      states.includes(state) &&
      (named.size === 0 || namesOf(letter).some((name) => named.has(name))) &&
      isAmong(options.code, letter.code) &&
      isAmong(options.task, letter.task) &&
      (options.stage === undefined || letter.stage === options.stage) &&
      isAmong(options.item, item) &&
      (origins.length === 0 || origins.some((isFrom) => isFrom(letter.origin, configuration))) &&
      (sinceMs === undefined || letter.record.appendTimeMs >= sinceMs) &&
      (untilMs === undefined || letter.record.appendTimeMs < untilMs),
  };
}

type Letter = KnownLetter['letter'];

/** By which a person may name it. */
export function namesOf({ id, record }: Letter): readonly string[] {
  return [id, `${record.partition}:${record.sequence}`];
}

const originPattern = /^([^:]+)(?::(\d{1,10})(?::(\d{1,18}))?)?$/;

function parsedOrigin(text: string): (origin: Letter['origin'], configuration: Names) => boolean {
  const match = originPattern.exec(text);
  if (match === null) throw cliError('LS_CLI_USAGE', `--origin ${text} is not of the form topic, topic:partition or topic:partition:sequence`);
  const [, topic = '', partition, sequence] = match;
  return (origin, configuration) =>
    origin !== undefined &&
    isTopicNamed(configuration, topic, origin.topic) &&
    (partition === undefined || origin.partition === Number(partition)) &&
    (sequence === undefined || origin.sequence === BigInt(sequence));
}
