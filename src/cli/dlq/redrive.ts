/** `dlq redrive`: gives the inputs of dead letters to EXTRACT once more, for the steps that failed. */
import type { Command } from 'commander';
import { letterStates } from '../../administration/dead-letters/history.ts';
import { letterObject } from '../../administration/dead-letters/letter-object.ts';
import type { LetterSelection } from '../../administration/dead-letters/letter-selection.ts';
import { redriveLetters, type RedriveObserver } from '../../administration/dead-letters/redrive-letters.ts';
import type { Access } from '../../open-access.ts';
import { counted } from '../../core/counted.ts';
import { cliError } from '../../core/errors/cli.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import { topics } from '../../core/topics.ts';
import { isInDoubt, type BatchAppender } from '../../pipeline/batch-appender.ts';
import { outputOf, withAccess, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from '../context.ts';
import { withExamples } from '../help.ts';
import { tableText, type Output } from '../output.ts';
import { progressOf } from '../progress.ts';
import { letterHead, letterRow } from './letter-text.ts';
import { selectionOf, withSelectionOptions, type SelectionOptions } from './selection.ts';

type RedriveOptions = ConfigurationOptions &
  SelectionOptions & { readonly all?: boolean; readonly again?: boolean; readonly dryRun?: boolean; readonly json?: boolean };

export function addRedriveCommand(dlq: Command, commandLine: CommandLine): void {
  const command = withSelectionOptions(withConfigurationOptions(dlq.command('redrive')))
    .argument('[id...]', 'dead letters, by id or partition:sequence')
    .summary('process dead letters again, the failed steps only')
    .description(
      'append the inputs of the selected open dead letters to the topic redrive. EXTRACT runs the steps that failed, and no others, and the results have the ids ' +
        'that they would have had at first. A feature that CLUSTER refused is extracted again from its input. What was redriven once is not again without --again',
    )
    .option('--all', 'all that are open')
    .option('--again', 'also those that were redriven before')
    .option('--dry-run', 'tell what would be redriven, and write nothing')
    .option('--json', 'one JSON object per dead letter, then one with the sums')
    .action(async (ids: readonly string[], options: RedriveOptions) => {
      const selection = selectionOf(options, ids, options.again === true ? letterStates : ['open']);
      if (options.all !== true && !selection.isNarrowed && ids.length === 0) {
        throw cliError('LS_CLI_USAGE', 'dlq redrive asks for dead letters: name some, narrow them by an option such as --code, or say --all');
      }
      const output = outputOf(commandLine, options.json);
      await withAccess(options, commandLine, (access) => redrive(access, selection, { ids, dryRun: options.dryRun === true, again: options.again === true }, output, commandLine.signal));
    });
  withExamples(
    command,
    'labelstream dlq redrive --code LS_MODEL_OUTPUT_NOT_FINITE -c examples/news.yaml',
    'labelstream dlq redrive --all --since 2026-05-17T08:00:00Z --dry-run -c examples/news.yaml',
  );
}

type Asked = { readonly ids: readonly string[]; readonly dryRun: boolean; readonly again: boolean };

async function redrive(access: Access, selection: LetterSelection, { ids, dryRun, again }: Asked, output: Output, signal: AbortSignal): Promise<void> {
  const rows: (readonly (string | number)[])[] = [];
  const progress = await progressOf(output, 'redriving', await letterCount(access));
  const observer: RedriveObserver = {
    seen: progress.update,
    redriven: (known) => {
      if (output.json) output.object({ ...letterObject(known), outcome: dryRun ? 'would-redrive' : 'redriven', reason: null });
      else if (dryRun) rows.push(letterRow(known));
    },
    skipped: (known, reason) => {
      if (output.json) output.object({ ...letterObject(known), outcome: 'skipped', reason });
      else output.note(`skipped ${known.letter.id}: ${reason}`);
    },
    interrupted: (appender, error) => {
      if (!dryRun) output.note(whatIsRedriven(appender, again, error));
    },
  };
  const outcome = await redriveLetters(access, { selection, ids, dryRun }, observer, signal).finally(progress.stop);
  if (outcome.kind === 'missing') throw cliError('LS_CLI_NOT_FOUND', `there is no dead letter ${outcome.ids.join(', ')}; nothing was redriven`);
  const { seen, selected, redriven, skipped } = outcome;
  if (selected === 0) throw nothingSelected(seen);
  if (redriven === 0) throw cliError('LS_CLI_NOT_REDRIVABLE', `none of ${counted(skipped, 'dead letter')} can be redriven`);
  tell(output, redriven, { rows, skipped, dryRun });
}

function whatIsRedriven(appender: Pick<BatchAppender, 'appended' | 'pending'>, again: boolean, error: unknown): string {
  const code = error instanceof LabelstreamError ? error.code : undefined;
  const before = `${counted(appender.appended(), 'dead letter')} redriven before the failure`;
  const doubt = isInDoubt(error) && appender.pending() > 0 ? `, and perhaps the next ${appender.pending()}` : '';
  if (code === 'LS_TRANSPORT_FENCED') return `${before}; another \`dlq redrive\` has begun since, and knows of them`;
  return `${before}${doubt}; the same command ${again ? 'does them again, too' : 'goes on with the rest'}`;
}

function tell(output: Output, count: number, { rows, skipped, dryRun }: { readonly rows: readonly (readonly (string | number)[])[]; readonly skipped: number; readonly dryRun: boolean }): void {
  if (output.json) {
    output.object({ redriven: dryRun ? 0 : count, wouldRedrive: dryRun ? count : 0, skipped, dryRun, topic: topics.redrive });
    return;
  }
  if (dryRun) output.lines(tableText(letterHead, rows));
  output.line(`${dryRun ? `would redrive ${counted(count, 'dead letter')}` : `redrove ${counted(count, 'dead letter')}`}${skipped === 0 ? '' : `; skipped ${skipped}`}`);
  if (!dryRun) output.note('a `run` that is live carries it out now, otherwise the next one does; `labelstream dlq list` tells what came of it');
}

function nothingSelected(seen: number): Error {
  const there = seen === 0 ? 'there are no dead letters' : `none of ${counted(seen, 'dead letter')} is open and selected`;
  return cliError('LS_CLI_RANGE_EMPTY', `${there}${seen === 0 ? '' : '; see `labelstream dlq list`, or say --again for those that were redriven before'}`);
}

async function letterCount({ transport, partitionCountOf }: Access): Promise<number> {
  let count = 0;
  for (let partition = 0; partition < partitionCountOf(topics.deadLetters); partition++) {
    const { start, end } = await transport.bounds({ topic: topics.deadLetters, partition });
    count += Number(end.sequence - start.sequence);
  }
  return count;
}
