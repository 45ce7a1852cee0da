import type { Command } from 'commander';
import { createProcessContext } from '../compose.ts';
import { located, SettingsRefused } from '../config/mistakes.ts';
import { startService } from '../service.ts';
import { createLogger, loadedConfiguration, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from './context.ts';
import { ConfigurationMistakes, isInterruption, ServiceFailure } from './failure.ts';
import { fileMistakes } from './file-mistakes.ts';

type RunOptions = ConfigurationOptions & { readonly untilIdle?: boolean };

export function addRunCommand(program: Command, commandLine: CommandLine): void {
  withConfigurationOptions(program.command('run'))
    .description('process events until stopped')
    .option('--until-idle', 'stop, with exit code 0, once everything that was there at the start is processed')
    .addHelpText('after', '\nExample:\n  labelstream run -c examples/news.yaml --until-idle')
    .action(async (options: RunOptions) => {
      try {
        await run(options, commandLine);
      } catch (error) {
        // Told to stop while it was still starting: nothing was begun.
        if (!(commandLine.signal.aborted && isInterruption(error))) throw error;
      }
    });
}

async function run(options: RunOptions, commandLine: CommandLine): Promise<void> {
  const loaded = await loadedConfiguration(options, commandLine);
  if (loaded.configuration === undefined) throw new ConfigurationMistakes(options.config, loaded.mistakes);
  const { configuration, lineOf } = loaded;
  const mistakes = located(await fileMistakes(configuration, 'manifests'), lineOf);
  if (mistakes.length > 0) throw new ConfigurationMistakes(options.config, mistakes);
  const logger = createLogger(configuration.log.level, commandLine);
  const service = await startService(configuration, await createProcessContext(logger), commandLine.signal).catch((error: unknown) => {
    throw error instanceof SettingsRefused ? new ConfigurationMistakes(options.config, located(error.mistakes, lineOf)) : error;
  });
  logger.info({ url: service.url, delivery: configuration.delivery, dataDirectory: configuration.dataDirectory }, 'running');
  const failure = await Promise.race([
    aborted(commandLine.signal),
    service.failed,
    ...(options.untilIdle === true ? [service.untilIdle().then(() => undefined, toError)] : []),
  ]);
  logger.info({ reason: failure?.message ?? (commandLine.signal.aborted ? 'signal' : 'idle') }, 'stopping');
  const { forced } = await service.stop();
  logger.info({ forced, longestStallMs: Math.round(service.longestStallMs()) }, 'stopped');
  if (failure !== undefined) throw new ServiceFailure('the service failed', { cause: failure });
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
