/**
 * The help of every command, laid out like a man page and rendered from what commander knows of it. A command declares its examples with
 * `withExamples`; sections that are the same everywhere (exit status, environment) are added once, at the root.
 */
import type { Command, Help } from 'commander';
import { cliError } from '../core/errors/cli.ts';
import { exitCodes, exitCodeMeanings } from './failure.ts';

const indent = '  ';
/** A longer term has a line of its own, so that descriptions are not squeezed. */
const termWidthMax = 28;

/** @param examples complete command lines; a test parses each with the program itself. */
export function withExamples(command: Command, ...examples: readonly string[]): Command {
  return command.addHelpText('after', linesText('EXAMPLES', examples));
}

/** To be called before subcommands are added: they inherit the layout. */
export function withManualPages(program: Command): Command {
  return program
    .configureHelp({ formatHelp: manualPage })
    .addHelpText('afterAll', linesText('EXIT STATUS', Object.values(exitCodes).map((code) => `${String(code).padEnd(4)}${exitCodeMeanings[code]}`)))
    .addHelpText('afterAll', ({ command }) => linesText('ENVIRONMENT', environmentOf(command)));
}

/** Commander's own takes one name, and shows a group where a command of it is asked for. */
export function addHelpCommand(program: Command): void {
  const command = program
    .helpCommand(false)
    .command('help')
    .argument('[command...]', 'the command, with the group that it is in')
    .summary('show the help of a command')
    .description('show the help of a command, as its option --help does; without a name that of the program')
    .action((names: readonly string[]) => {
      let shown = program;
      for (const name of names) {
        const child = shown.commands.find((candidate) => candidate.name() === name);
        if (child === undefined) {
          const known = shown.commands.map((candidate) => candidate.name()).join(', ');
          throw cliError('LS_CLI_USAGE', `${pathOf(shown).join(' ')} has no command '${name}'${known === '' ? '' : `; there are ${known}`}`);
        }
        shown = child;
      }
      shown.outputHelp();
    });
  withExamples(command, 'labelstream help publish images', 'labelstream help run');
}

function environmentOf(command: Command): readonly string[] {
  const color = 'NO_COLOR         messages on a terminal are not coloured';
  if (command.name() === 'pull') return ['HF_TOKEN         the token of the host that --from names', color];
  if (!command.options.some(({ long }) => long === '--config')) return [color];
  return [
    'LABELSTREAM_...  settings that win over the file, such as',
    '                 LABELSTREAM_SERVER__PORT=9000; docs/configuration.md has all',
    'NAME of ${NAME}  what the configuration file itself asks for',
    color,
  ];
}

function manualPage(command: Command, help: Help): string {
  const name = pathOf(command).join(' ');
  const items = (entries: readonly (readonly [term: string, description: string])[]): readonly string[] => {
    const width = Math.min(termWidthMax, Math.max(0, ...entries.map(([term]) => term.length)));
    return entries.map(([term, description]) =>
      term.length <= width ? help.formatItem(term, width, description, help) : `${indent}${term}\n${help.formatItem('', width, description, help)}`,
    );
  };
  const sections = [
    linesText('NAME', [`${name} - ${lowerFirst(help.subcommandDescription(command))}`]),
    linesText('SYNOPSIS', [help.commandUsage(command)]),
    linesText('DESCRIPTION', help.boxWrap(sentence(command.description()), (help.helpWidth ?? 80) - indent.length).split('\n')),
    sectionText('ARGUMENTS', items(help.visibleArguments(command).map((argument) => [help.argumentTerm(argument), help.argumentDescription(argument)]))),
    sectionText('OPTIONS', items(help.visibleOptions(command).map((option) => [help.optionTerm(option), help.optionDescription(option).replace(/ \(default: (\[\]|\{\})\)$/, '')]))),
    sectionText('COMMANDS', items(help.visibleCommands(command).map((child) => [help.subcommandTerm(child), help.subcommandDescription(child)]))),
  ];
  return `${sections.filter((text) => text !== '').join('\n').slice(1)}\n`;
}

/** From the program's name to the command's. */
export function pathOf(command: Command): readonly string[] {
  return command.parent === null ? [command.name()] : [...pathOf(command.parent), command.name()];
}

function linesText(title: string, lines: readonly string[]): string {
  return sectionText(title, lines.map((line) => indent + line));
}

/** Begins with an empty line; nothing where there are no entries. */
function sectionText(title: string, entries: readonly string[]): string {
  return entries.length === 0 ? '' : ['', title, ...entries].join('\n');
}

function sentence(text: string): string {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return capital.endsWith('.') ? capital : `${capital}.`;
}

function lowerFirst(text: string): string {
  return /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1).replace(/\.$/, '') : text;
}
