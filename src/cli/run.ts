import type { Command } from 'commander';
import { createProcessContext } from '../process-context.ts';
import { located, SettingsRefused } from '../config/mistakes.ts';
import { startService } from '../service.ts';
import { createLogger, loadedConfiguration, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from './context.ts';
import { CommandFailure, ConfigurationMistakes, isInterruption } from './failure.ts';
import { fileMistakes } from './file-mistakes.ts';
import { withExamples } from './help.ts';

type RunOptions = ConfigurationOptions & { readonly untilIdle?: boolean };

export function addRunCommand(program: Command, commandLine: CommandLine): void {
  const command = withConfigurationOptions(program.command('run'))
    .summary('process events until stopped')
    .description(
      'run the stages EXTRACT and CLUSTER on what is in the input topics and on what arrives, until SIGINT or SIGTERM. What is in flight is then finished and ' +
        'committed. Other commands work beside it on the same data directory; a second `run` on it is refused.',
    )
    .option('--until-idle', 'stop, with exit code 0, once everything that was there at the start is processed')
    .action(async (options: RunOptions) => {
      try {
        await run(options, commandLine);
      } catch (error) {
        // Told to stop while it was still starting: nothing was begun.
        if (!(commandLine.signal.aborted && isInterruption(error))) throw error;
      }
    });
  withExamples(command, 'labelstream run -c examples/news.yaml --until-idle', 'labelstream run -c examples/news.yaml --set server.port=9000');
}

async function run(options: RunOptions, commandLine: CommandLine): Promise<void> {
  const loaded = await loadedConfiguration(options, commandLine);
  if (loaded.configuration === undefined) throw new ConfigurationMistakes(options.config, loaded.mistakes);
  const { configuration, lineOf } = loaded;
  const mistakes = located(await fileMistakes(configuration, 'manifests'), lineOf);
  if (mistakes.length > 0) throw new ConfigurationMistakes(options.config, mistakes);
  const logger = createLogger(configuration.log.level, commandLine);
  const context = await createProcessContext(logger);
  commandLine.signal.throwIfAborted();
  const service = await startService(configuration, context, commandLine.signal).catch((error: unknown) => {
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
  logger.info({ ...(await context.metrics.totals()), forced, longestStallMs: Math.round(service.longestStallMs()) }, 'stopped');
  if (failure !== undefined) throw new CommandFailure('the service failed', { cause: failure });
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
