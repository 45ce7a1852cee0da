/** The command line as a whole. Exit codes: 0, 1 failure, 2 usage, 78 configuration. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { packageDirectory } from '../package-directory.ts';
import { cliErrors } from '../core/errors/cli.ts';
import { addClustersCommand } from './clusters.ts';
import { addCollectionsCommand } from './collections/collections.ts';
import { addCompletionCommand } from './completion.ts';
import type { CommandLine } from './context.ts';
import { addDemoCommand } from './demo/demo.ts';
import { addDlqCommand } from './dlq/dlq.ts';
import { addErasureCommand } from './erasure/erasure.ts';
import { exitCodeOf, exitCodes, failureText, type ExitCode } from './failure.ts';
import { addForgetCommand } from './forget.ts';
import { addGroupsCommand } from './groups.ts';
import { addHelpCommand, withExamples, withManualPages } from './help.ts';
import { addLagCommand } from './lag.ts';
import { addModelsCommand } from './models.ts';
import { endWithReader } from './output.ts';
import { printableLines } from './printable.ts';
import { addPublishCommand } from './publish/publish.ts';
import { addReplayCommand } from './replay/replay.ts';
import { addRunCommand } from './run.ts';
import { addTailCommand } from './tail.ts';
import { addTaskCommand } from './task/task.ts';
import { addTopicsCommand } from './topics.ts';
import { addValidateCommand } from './validate.ts';

/** @param parameters what stands after the program's name. */
export async function runProgram(parameters: readonly string[], commandLine: CommandLine): Promise<ExitCode> {
  endWithReader(commandLine);
  const program = await createProgram(commandLine);
  try {
    await program.parseAsync([...parameters], { from: 'user' });
    return exitCodes.success;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.success : exitCodes.usage;
    commandLine.stderr.write(`${printableLines(failureText(error))}\n`);
    return exitCodeOf(error);
  }
}

/** Every command, without running one. */
export async function createProgram(commandLine: CommandLine): Promise<Command> {
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
  addRunCommand(program, commandLine);
  addDemoCommand(program, commandLine);
  addPublishCommand(program, commandLine);
  addTailCommand(program, commandLine);
  addClustersCommand(program, commandLine);
  addCollectionsCommand(program, commandLine);
  addForgetCommand(program, commandLine);
  addErasureCommand(program, commandLine);
  addDlqCommand(program, commandLine);
  addReplayCommand(program, commandLine);
  addLagCommand(program, commandLine);
  addGroupsCommand(program, commandLine);
  addTopicsCommand(program, commandLine);
  addValidateCommand(program, commandLine);
  addTaskCommand(program, commandLine);
  addModelsCommand(program, commandLine);
  addCompletionCommand(program, commandLine);
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
