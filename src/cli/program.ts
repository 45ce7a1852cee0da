/** The command line as a whole. Exit codes: 0, 1 failure, 2 usage, 78 configuration. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { packageDirectory } from '../package-directory.ts';
import { cliErrors } from '../core/errors/cli.ts';
import type { CommandLine } from './context.ts';
import { exitCodeOf, exitCodes, failureText, type ExitCode } from './failure.ts';
import { addHelpCommand, withExamples, withManualPages } from './help.ts';
import { endWithReader } from './output.ts';
import { printableLines } from './printable.ts';

/** @param parameters what stands after the program's name. */
export async function runProgram(parameters: readonly string[], commandLine: CommandLine): Promise<ExitCode> {
  endWithReader(commandLine);
  const program = await createProgram(commandLine, parameters[0]);
  try {
    await program.parseAsync([...parameters], { from: 'user' });
    return exitCodes.success;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.success : exitCodes.usage;
    commandLine.stderr.write(`${printableLines(failureText(error))}\n`);
    return exitCodeOf(error);
  }
}

type AddCommand = (program: Command, commandLine: CommandLine) => void;

/** In the order of the help. */
const commands: Readonly<Record<string, () => Promise<AddCommand>>> = {
  run: async () => (await import('./run.ts')).addRunCommand,
  serve: async () => (await import('./serve.ts')).addServeCommand,
  demo: async () => (await import('./demo/demo.ts')).addDemoCommand,
  publish: async () => (await import('./publish/publish.ts')).addPublishCommand,
  tail: async () => (await import('./tail.ts')).addTailCommand,
  clusters: async () => (await import('./clusters.ts')).addClustersCommand,
  collections: async () => (await import('./collections/collections.ts')).addCollectionsCommand,
  forget: async () => (await import('./forget.ts')).addForgetCommand,
  erasure: async () => (await import('./erasure/erasure.ts')).addErasureCommand,
  dlq: async () => (await import('./dlq/dlq.ts')).addDlqCommand,
  replay: async () => (await import('./replay/replay.ts')).addReplayCommand,
  lag: async () => (await import('./lag.ts')).addLagCommand,
  inputs: async () => (await import('./inputs.ts')).addInputsCommand,
  groups: async () => (await import('./groups.ts')).addGroupsCommand,
  topics: async () => (await import('./topics.ts')).addTopicsCommand,
  validate: async () => (await import('./validate.ts')).addValidateCommand,
  task: async () => (await import('./task/task.ts')).addTaskCommand,
  models: async () => (await import('./models.ts')).addModelsCommand,
  keys: async () => (await import('./keys.ts')).addKeysCommand,
  completion: async () => (await import('./completion.ts')).addCompletionCommand,
};

/** Who names a command needs no other, but for completion, which writes down all. */
function loadedFor(named: string | undefined): readonly (() => Promise<AddCommand>)[] {
  const alone = named === undefined || named === 'completion' || !Object.hasOwn(commands, named) ? undefined : commands[named];
  return alone === undefined ? Object.values(commands) : [alone];
}

/** Every command, without running one; where the first parameter is one of them, it alone. */
export async function createProgram(commandLine: CommandLine, named?: string): Promise<Command> {
  const { version, description } = JSON.parse(await readFile(join(packageDirectory, 'package.json'), 'utf8')) as { readonly version: string; readonly description: string };
  const program = withManualPages(new Command('labelstream'))
    .summary('an event-driven stream processor')
    .description(description)
    .version(version)
    .showHelpAfterError(`  ${cliErrors.LS_CLI_USAGE.remedy}`)
    .helpOption('-h, --help', 'show this help')
    .configureOutput({
      writeOut: (text) => void commandLine.stdout.write(text),
      writeErr: (text) => void commandLine.stderr.write(printableLines(text)),
      // As every other failure is told.
      outputError: (text, write) => {
        write(text.replace(/^error: (.*)/, 'labelstream: $1 [LS_CLI_USAGE]'));
      },
    })
    .exitOverride();
  for (const load of loadedFor(named)) (await load())(program, commandLine);
  addHelpCommand(program);
  withExamples(program, 'labelstream demo', 'labelstream run --help');
  inheritExit(program);
  return program;
}

/** Commander hands settings down only to commands made after them; every level must throw instead of ending the process. */
function inheritExit(command: Command): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command).exitOverride();
    inheritExit(child);
  }
}
