/** Which dead letters a command is about. */
import { Option, type Command } from 'commander';
import { letterStates, type LetterState } from '../../administration/dead-letters/history.ts';
import { letterSelection, originFilterOf, type LetterSelection, type OriginFilter } from '../../administration/dead-letters/letter-selection.ts';
import { cliError } from '../../core/errors/cli.ts';
import { collected } from '../collect.ts';
import { parsedTime } from '../time-option.ts';

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

/** @param ids of dead letters, as their id or partition:sequence; none: all. Throws LS_CLI_USAGE. */
export function selectionOf(options: SelectionOptions, ids: readonly string[], states: readonly LetterState[] = letterStates): LetterSelection {
  const sinceMs = options.since === undefined ? undefined : parsedTime('--since', options.since);
  const untilMs = options.until === undefined ? undefined : parsedTime('--until', options.until);
  if (sinceMs !== undefined && untilMs !== undefined && sinceMs >= untilMs) {
    throw cliError('LS_CLI_USAGE', `--since ${options.since ?? ''} is not before --until ${options.until ?? ''}`);
  }
  const { code, task, stage, item } = options;
  return letterSelection({ ids, states, code, task, stage, item, origin: options.origin.map(parsedOrigin), sinceMs, untilMs });
}

function parsedOrigin(text: string): OriginFilter {
  const filter = originFilterOf(text);
  if (filter === undefined) throw cliError('LS_CLI_USAGE', `--origin ${text} is not of the form topic, topic:partition or topic:partition:sequence`);
  return filter;
}
