/** `dlq`: what could not be processed, why, what became of it, and another try (SEMANTICS.md, rule 22). */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Access } from '../../open-access.ts';
import { counted } from '../../core/counted.ts';
import { cliError } from '../../core/errors/cli.ts';
import { isErrorCode } from '../../core/errors/catalogue.ts';
import { noHeaders } from '../../core/records.ts';
import { outputOf, withAccess, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from '../context.ts';
import { withExamples } from '../help.ts';
import { tableText, type Output } from '../output.ts';
import { knownLetters, letterStates, type KnownLetter, type LetterState } from '../../administration/dead-letters/history.ts';
import { letterObject } from '../../administration/dead-letters/letter-object.ts';
import { namesOf, type LetterSelection } from '../../administration/dead-letters/letter-selection.ts';
import { letterHead, letterLines, letterRow, recordObject } from './letter-text.ts';
import { addRedriveCommand } from './redrive.ts';
import { selectionOf, withSelectionOptions, type SelectionOptions } from './selection.ts';

type ListOptions = ConfigurationOptions & SelectionOptions & { readonly state?: LetterState; readonly limit?: number; readonly json?: boolean };
type ShowOptions = ConfigurationOptions & { readonly json?: boolean };

export function addDlqCommand(program: Command, commandLine: CommandLine): void {
  const dlq = program
    .command('dlq')
    .summary('look at dead letters and process them again')
    .description('look at what could not be processed, and process it again once the cause is mended');
  withExamples(dlq, 'labelstream dlq list -c examples/news.yaml', 'labelstream dlq redrive --all -c examples/news.yaml');
  addListCommand(dlq, commandLine);
  addShowCommand(dlq, commandLine);
  addRedriveCommand(dlq, commandLine);
}

function addListCommand(dlq: Command, commandLine: CommandLine): void {
  const command = withSelectionOptions(withConfigurationOptions(dlq.command('list')))
    .summary('list dead letters and what became of them')
    .description(
      'list dead letters, the newest last: one for each step that failed, with its id and its place (partition:sequence of dead-letters), of which `dlq show` and ' +
        '`dlq redrive` take either. States: open, never redriven (whatever was published of the item since); redriven, not yet processed again; failed, it failed again and a newer dead letter is open ' +
        'in its place; resolved, processed again with no dead letter up to now',
    )
    .addOption(new Option('--state <state>', 'only in this state').choices(letterStates))
    .option('--limit <count>', 'at most the newest so many', countOption)
    .option('--json', 'one JSON object per dead letter')
    .action(async (options: ListOptions) => {
      const selection = selectionOf(options, [], options.state === undefined ? letterStates : [options.state]);
      await withAccess(options, commandLine, (access) => list(access, selection, options, outputOf(commandLine, options.json), commandLine.signal));
    });
  withExamples(command, 'labelstream dlq list --state open -c examples/news.yaml', 'labelstream dlq list --code LS_TASK_INPUT --since 2026-05-17 --json -c examples/news.yaml');
}

function addShowCommand(dlq: Command, commandLine: CommandLine): void {
  const command = withConfigurationOptions(dlq.command('show'))
    .argument('<id>', 'its id, or partition:sequence')
    .summary('show a dead letter with its record')
    .description('show why and where something became a dead letter, what became of it since, and the record itself')
    .option('--json', 'one JSON object')
    .action(async (id: string, options: ShowOptions) => {
      await withAccess(options, commandLine, (access) => show(access, id, outputOf(commandLine, options.json), commandLine.signal));
    });
  withExamples(command, 'labelstream dlq show 0:17 -c examples/news.yaml');
}

function countOption(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('It is a whole number from 1.');
  return count;
}

async function list(access: Access, selection: LetterSelection, { limit, code }: Pick<ListOptions, 'limit' | 'code'>, output: Output, signal: AbortSignal): Promise<void> {
  const chosen: KnownLetter[] = [];
  // Another version of labelstream, or another program, may have written what this one does not know.
  const unknown = new Set(code.filter((wanted) => !isErrorCode(wanted)));
  const counts = new Map<LetterState, number>();
  const from = selection.sinceMs === undefined ? undefined : { appendTimeMs: selection.sinceMs };
  for await (const known of knownLetters(access, signal, from)) {
    unknown.delete(known.letter.code);
    if (!selection.matches(known, access.configuration)) continue;
    counts.set(known.state, (counts.get(known.state) ?? 0) + 1);
    chosen.push(withoutContent(known));
  }
  if (unknown.size > 0) throw cliError('LS_CLI_USAGE', `--code ${[...unknown].join(', ')}: there is no such code, neither in docs/errors.md nor of any dead letter`);
  const shown = chosen.sort((left, right) => left.letter.record.appendTimeMs - right.letter.record.appendTimeMs).slice(limit === undefined ? 0 : -limit);
  if (output.json) {
    for (const known of shown) output.object(letterObject(known));
    return;
  }
  if (shown.length > 0) output.lines(tableText(letterHead, shown.map(letterRow)));
  const sums = letterStates.flatMap((state) => (counts.has(state) ? [`${counts.get(state) ?? 0} ${state}`] : []));
  output.note(`${counted(chosen.length, 'dead letter')}${sums.length === 0 ? '' : `: ${sums.join(', ')}`}${shown.length < chosen.length ? `; the newest ${shown.length} are listed` : ''}`);
}

const noBytes = Buffer.alloc(0);

/** A list of many must not hold what is in them. */
function withoutContent(known: KnownLetter): KnownLetter {
  return { ...known, letter: { ...known.letter, record: { ...known.letter.record, key: null, value: noBytes, headers: noHeaders } } };
}

async function show(access: Access, id: string, output: Output, signal: AbortSignal): Promise<void> {
  for await (const known of knownLetters(access, signal, undefined)) {
    if (!namesOf(known.letter).includes(id)) continue;
    if (output.json) output.object({ ...letterObject(known), ...(await recordObject(access, known, signal)) });
    else for (const line of await letterLines(access, known, signal)) output.line(line);
    return;
  }
  throw cliError('LS_CLI_NOT_FOUND', `there is no dead letter ${id}; \`labelstream dlq list\` names those that there are`, { id });
}
