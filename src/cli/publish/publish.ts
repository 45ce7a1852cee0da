/** `publish`: events from files into their input topic, in batches, beside a live `run` or without one. */
import type { Command } from 'commander';
import type { CommandLine } from '../context.ts';
import { withExamples } from '../help.ts';
import { addMediaCommand } from './media.ts';
import { imageKind, soundKind } from './media-kinds.ts';
import { addRecordsCommand, addTextCommand } from './rows.ts';

export function addPublishCommand(program: Command, commandLine: CommandLine): void {
  const publish = program
    .command('publish')
    .summary('publish events from files')
    .description('publish events from files into their input topic, beside a live `run` or without one. An event with the id of an earlier one replaces it');
  withExamples(
    publish,
    'labelstream publish text news.jsonl --source news -c examples/news.yaml',
    'labelstream publish records notes.csv --attribute-column class -c examples/banknotes.yaml',
    'labelstream publish images photos/ --source camera -c examples/pets.yaml',
  );
  addTextCommand(publish, commandLine);
  addRecordsCommand(publish, commandLine);
  addMediaCommand(publish, commandLine, imageKind);
  addMediaCommand(publish, commandLine, soundKind);
}
