/** What every command shares: where it reads from, where it writes to, and how it gets its configuration. */
import type { Command } from 'commander';
import { pino, destination, type Logger } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { openAccess, type Access } from '../compose.ts';
import { cliError } from '../core/errors/cli.ts';
import { createProcessContext, type AccessRole } from '../process-context.ts';
import { readConfiguration, type Configuration, type LoadedConfiguration } from '../config/load.ts';
import { misspeltVariables } from '../config/overrides.ts';
import { loadPlugins, type Extensions } from '../load-plugins.ts';
import { ConfigurationMistakes } from './failure.ts';
import { createOutput, type Output } from './output.ts';
import { printableJson, printableQuoted } from './printable.ts';

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

/** With its plugins. Rejects with LS_PLUGIN_* errors. */
export async function loadedConfiguration({ config, set }: ConfigurationOptions, { environment, stderr }: CommandLine): Promise<LoadedConfiguration & { readonly extensions: Extensions }> {
  for (const { variable, nearest } of misspeltVariables(environment)) {
    stderr.write(`labelstream: the variable ${variable} sets nothing; is ${nearest} meant?\n`);
  }
  const { plugins, directory, checked } = await readConfiguration({ file: config, environment, assignments: set });
  const extensions = await loadPlugins(plugins, directory);
  return { ...checked({ tasks: [...extensions.tasks.values()], consumers: [...extensions.consumers.keys()] }), extensions };
}

type ErrorStream = { readonly isTTY: boolean; readonly write: (text: string) => unknown };

/** JSON on standard error, pretty for a person. */
export function createLogger(level: string, { stderr }: { readonly stderr: ErrorStream }): Logger {
  if (stderr.isTTY) {
    const pretty = prettyFactory({ ignore: 'pid,hostname' });
    return pino({ level }, { write: (line) => void stderr.write(pretty(printableQuoted(line))) });
  }
  const sink = destination({ fd: 2, sync: true });
  return pino({ level, base: null }, { write: (line) => void sink.write(printableJson(line)) });
}

export function outputOf(commandLine: CommandLine, json: boolean | undefined): Output {
  return createOutput(commandLine, json ?? false);
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
  { role = 'any', makesLog = false }: { readonly role?: AccessRole; readonly makesLog?: boolean } = {},
): Promise<Result> {
  const { configuration, extensions } = await configurationOf(options, commandLine);
  const context = await createProcessContext(createLogger('warn', commandLine), extensions);
  const access = await openAccess(configuration, context, role, { logMustExist: !makesLog });
  try {
    return await use(access);
  } finally {
    await access.close();
  }
}

/** Throws ConfigurationMistakes. */
export async function configurationOf(options: ConfigurationOptions, commandLine: CommandLine): Promise<{ readonly configuration: Configuration; readonly extensions: Extensions }> {
  const loaded = await loadedConfiguration(options, commandLine);
  if (loaded.configuration === undefined) throw new ConfigurationMistakes(options.config, loaded.mistakes);
  return { configuration: loaded.configuration, extensions: loaded.extensions };
}
