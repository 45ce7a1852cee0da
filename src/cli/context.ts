/** What every command shares: where it reads from, where it writes to, and how it gets its configuration. */
import type { Command } from 'commander';
import type { Configuration, LoadedConfiguration } from '../config/load.ts';
import { cliError } from '../core/errors/cli.ts';
import type { Extensions } from '../load-plugins.ts';
import type { Access } from '../open-access.ts';
import type { AccessRole } from '../process-context.ts';
import type { NamedConfiguration } from './configured.ts';
import { createOutput, type Output } from './output.ts';

export type CommandLine = {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Aborts on the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
};

export type ConfigurationOptions = { readonly config: string; readonly set: readonly string[] };

export function withConfigurationOptions(command: Command): Command {
  return command
    .requiredOption('-c, --config <file>', 'configuration file (YAML)')
    .option('--set <path=value>', 'override a setting; may be repeated', assignmentOption, [] as readonly string[]);
}

export function assignmentOption(value: string, before: readonly string[]): readonly string[] {
  // Not by commander's error, which would repeat what may hold a secret.
  if (!value.includes('=')) throw cliError('LS_CLI_USAGE', '--set needs PATH=VALUE, such as --set server.port=9000');
  return [...before, value];
}

export function outputOf(commandLine: CommandLine, json: boolean | undefined): Output {
  return createOutput(commandLine, json ?? false);
}

// A command is declared with what is here, and loads what it works with when it runs: reading a configuration alone takes longer than all of `--help`.

/** With its plugins. Rejects with LS_PLUGIN_* errors. */
export async function loadedConfiguration(options: NamedConfiguration, commandLine: CommandLine): Promise<LoadedConfiguration & { readonly extensions: Extensions }> {
  return (await import('./configured.ts')).loadedConfiguration(options, commandLine);
}

/** Throws ConfigurationMistakes. */
export async function configurationOf(options: ConfigurationOptions, commandLine: CommandLine): Promise<{ readonly configuration: Configuration; readonly extensions: Extensions }> {
  return (await import('./configured.ts')).configurationOf(options, commandLine);
}

/**
 * Runs `use` beside a live `run` or without one, and closes whatever was opened for it. Throws ConfigurationMistakes.
 * @param how `role: 'owner-required'`: not beside a live `run` on the embedded log, which is LS_LOG_OWNED. `makesLog`: where there is no embedded log it is made; to
 * others it is LS_LOG_MISSING, since an empty log would hide that its directory is mistyped.
 */
export async function withAccess<Result>(
  options: ConfigurationOptions,
  commandLine: CommandLine,
  use: (access: Access) => Promise<Result>,
  how: { readonly role?: AccessRole; readonly makesLog?: boolean } = {},
): Promise<Result> {
  const { openConfigured } = await import('./open-configured.ts');
  const access = await openConfigured(options, commandLine, how);
  try {
    return await use(access);
  } finally {
    await access.close();
  }
}
