// The help of every command, walked through the tree of commands: what a new command forgets to say fails here.
import type { Command } from 'commander';
import { CommanderError } from 'commander';
import { describe, expect, test } from 'vitest';
import { pathOf } from '../../src/cli/help.ts';
import { createProgram } from '../../src/cli/program.ts';

const { stdout, stderr } = process;
const newProgram = (): Promise<Command> => createProgram({ stdout, stderr, environment: {}, signal: new AbortController().signal });

function withChildren(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withChildren)];
}

const commands = withChildren(await newProgram());
const nameOf = (command: Command): string => pathOf(command).join(' ');

function helpOf(command: Command): string {
  let text = '';
  // As wide as a narrow terminal.
  command.configureOutput({ writeOut: (part) => (text += part), getOutHelpWidth: () => 80 });
  command.outputHelp();
  return text;
}

function examplesOf(help: string): string[] {
  return (/\nEXAMPLES\n((?: {2}.*\n)+)/.exec(help)?.[1] ?? '').split('\n').map((line) => line.trim()).filter((line) => line !== '');
}

test('there are commands to look at', () => {
  expect(commands.map(nameOf)).toEqual(expect.arrayContaining(['labelstream', 'labelstream run', 'labelstream clusters show']));
});

describe.each(commands.map((command) => [nameOf(command), command] as const))('%s --help', (name, command) => {
  const help = helpOf(command);

  test('has the sections of a manual page, in their order', () => {
    const titles = [...help.matchAll(/^[A-Z ]+$/gm)].map(([title]) => title);
    const expected = ['NAME', 'SYNOPSIS', 'DESCRIPTION', 'ARGUMENTS', 'OPTIONS', 'COMMANDS', 'EXAMPLES', 'EXIT STATUS', 'ENVIRONMENT'];
    expect(titles).toEqual(expected.filter((title) => titles.includes(title)));
    expect(titles).toEqual(expect.arrayContaining(['NAME', 'SYNOPSIS', 'DESCRIPTION', 'OPTIONS', 'EXAMPLES', 'EXIT STATUS', 'ENVIRONMENT']));
    expect(titles.includes('ARGUMENTS')).toBe(command.registeredArguments.length > 0);
  });

  test('says in short and at length what it does, and what each option and argument is', () => {
    expect(command.summary()).toMatch(/^[a-z][^.]*[^.]$/);
    expect(command.description().length).toBeGreaterThan(command.summary().length);
    for (const { flags, description } of command.options) expect(description, flags).not.toBe('');
    for (const argument of command.registeredArguments) expect(argument.description, argument.name()).not.toBe('');
  });

  test('fits 80 columns, but for its examples', () => {
    const examples = new Set(examplesOf(help));
    expect(help.split('\n').filter((line) => line.length > 80 && !examples.has(line.trim()))).toEqual([]);
  });

  test('has examples of itself that the program takes', async () => {
    const examples = examplesOf(help);
    expect(examples.length).toBeGreaterThan(0);
    if (command.parent !== null) expect(examples.every((example) => example.startsWith(`${name} `) || example === name)).toBe(true);
    for (const example of examples) {
      const program = await newProgram();
      const reached: string[] = [];
      for (const each of withChildren(program)) {
        each.configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
        if (each.commands.length === 0) each.action(() => void reached.push(nameOf(each)));
      }
      const parsed = await program.parseAsync(example.split(' ').slice(1), { from: 'user' }).then(() => undefined, (error: unknown) => error);
      if (parsed instanceof CommanderError) expect({ example, code: parsed.code }).toEqual({ example, code: 'commander.helpDisplayed' });
      else expect({ example, parsed, reached }).toEqual({ example, parsed: undefined, reached: [expect.stringMatching(new RegExp(`^${name}( |$)`))] });
    }
  });
});

test.each([
  ['labelstream lag', /stands at `never`, .* at `start`/],
  ['labelstream run', /On the embedded log a second `run` on that directory is refused; on Kafka each takes a share of the partitions \(on one host each needs a server\.port/],
  ['labelstream publish text', /--text-column <name> +column with the text; without it `text`/],
])('%s explains what it shows and takes', (name, said) => {
  expect(helpOf(commands.find((command) => nameOf(command) === name)!).replaceAll(/\s+/g, ' ')).toMatch(said);
});

describe('help NAME...', () => {
  async function shown(...parameters: string[]): Promise<string> {
    const program = await newProgram();
    let text = '';
    for (const each of withChildren(program)) each.configureOutput({ writeOut: (part) => (text += part), getOutHelpWidth: () => 80 });
    await program.parseAsync(parameters, { from: 'user' }).catch((error: unknown) => {
      if (!(error instanceof CommanderError && error.exitCode === 0)) throw error;
    });
    return text;
  }

  test.each([['publish', 'images'], ['publish'], ['help'], ['run']])('%s %s', async (...names: string[]) => {
    const help = await shown('help', ...names);
    expect(help).toBe(await shown(...names, '--help'));
    expect(help).toContain(`SYNOPSIS\n  labelstream ${names.join(' ')} [`);
  });

  test('without a name: the program', async () => {
    expect(await shown('help')).toBe(await shown('--help'));
  });

  test('the group of publish has an example of each of its commands', async () => {
    const help = await shown('publish', '--help');
    for (const kind of ['text', 'records', 'images']) expect(help).toContain(`\n  labelstream publish ${kind} `);
  });
});
