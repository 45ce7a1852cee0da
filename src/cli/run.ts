import type { Command } from 'commander';
import { createProcessContext } from '../compose.ts';
import { startService } from '../service.ts';
import { configurationOf, createLogger, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from './context.ts';

type RunOptions = ConfigurationOptions & { readonly untilIdle?: boolean };

export function addRunCommand(program: Command, commandLine: CommandLine): void {
  withConfigurationOptions(program.command('run'))
    .description('process events until stopped')
    .option('--until-idle', 'stop, with exit code 0, once everything that was there at the start is processed')
    .addHelpText('after', '\nExample:\n  labelstream run -c examples/news.yaml --until-idle')
    .action(async (options: RunOptions) => {
      await run(options, commandLine);
    });
}

async function run(options: RunOptions, commandLine: CommandLine): Promise<void> {
  const configuration = await configurationOf(options, commandLine);
  const logger = createLogger(configuration.log.level, commandLine);
  const service = await startService(configuration, await createProcessContext(logger), commandLine.signal);
  logger.info({ url: service.url, delivery: configuration.delivery, dataDirectory: configuration.dataDirectory }, 'running');
  const failure = await Promise.race([
    aborted(commandLine.signal),
    service.failed,
    ...(options.untilIdle === true ? [service.untilIdle().then(() => undefined, toError)] : []),
  ]);
  logger.info({ reason: failure?.message ?? (commandLine.signal.aborted ? 'signal' : 'idle') }, 'stopping');
  const { forced } = await service.stop();
  logger.info({ forced, longestStallMs: Math.round(service.longestStallMs()) }, 'stopped');
  if (failure !== undefined) throw failure;
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => {
      resolve(undefined);
    });
  });
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
