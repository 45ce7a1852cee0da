/** What `run` runs, and what it tells with --dry-run. */
import type { Configuration } from '../config/load.ts';
import { located, SettingsRefused } from '../config/mistakes.ts';
import { counted } from '../core/counted.ts';
import { cliError } from '../core/errors/cli.ts';
import { createProcessContext, type ServiceContext } from '../process-context.ts';
import { rebuildTruncatedLogs, truncatedLogsOf } from '../rebuild-truncated-log.ts';
import { startService, type Service } from '../service.ts';
import { loadedConfiguration } from './configured.ts';
import { outputOf, withAccess, type CommandLine, type ConfigurationOptions } from './context.ts';
import { ConfigurationMistakes, isInterruption, serviceFailure } from './failure.ts';
import { fileMistakes } from './file-mistakes.ts';
import { createLogger } from './logger.ts';
import { skillSettings, variablesInFile } from './skill-settings.ts';

export type RunOptions = ConfigurationOptions & {
  readonly untilIdle?: boolean;
  readonly rebuildFromTruncatedLog?: boolean;
  readonly dryRun?: boolean;
};

export async function runService(options: RunOptions, commandLine: CommandLine): Promise<void> {
  try {
    if (options.dryRun === true) await tellOfRebuild(options, commandLine);
    else await run(options, commandLine);
  } catch (error) {
    // Told to stop while it was still starting: nothing was begun.
    if (!(commandLine.signal.aborted && isInterruption(error))) throw error;
  }
}

async function run(options: RunOptions, commandLine: CommandLine): Promise<void> {
  const { assignments, keys, givers } = skillSettings(commandLine.environment, await variablesInFile(), options.set);
  const loaded = await loadedConfiguration({ config: options.config, set: [...assignments, ...options.set], keys, givers }, commandLine);
  if (loaded.configuration === undefined) throw new ConfigurationMistakes(options.config, loaded.mistakes);
  const { configuration, lineOf } = loaded;
  const mistakes = located(await fileMistakes(configuration, loaded.extensions, 'manifests'), lineOf);
  if (mistakes.length > 0) throw new ConfigurationMistakes(options.config, mistakes);
  const logger = await createLogger(configuration.log.level, commandLine);
  for (const { setting, line, message } of loaded.plainSecrets) logger.warn({ setting, line }, message);
  const context = await createProcessContext(logger, loaded.extensions);
  commandLine.signal.throwIfAborted();
  const service = await start(configuration, context, options, commandLine.signal).catch((error: unknown) => {
    if (commandLine.signal.aborted && isInterruption(error)) logger.info({ reason: 'signal' }, 'stopped before it was running');
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
  // What did not end in time, for brokers that are silent, ends by itself: nobody waits for it.
  logger.level = 'silent';
  if (failure !== undefined) throw serviceFailure(failure);
}

async function start(configuration: Configuration, context: ServiceContext, options: RunOptions, signal: AbortSignal): Promise<Service> {
  if (options.rebuildFromTruncatedLog === true) await rebuildTruncatedLogs(configuration, context, signal);
  return startService(configuration, context, signal);
}

async function tellOfRebuild(options: RunOptions, commandLine: CommandLine): Promise<void> {
  if (options.rebuildFromTruncatedLog !== true) throw cliError('LS_CLI_USAGE', '--dry-run tells of --rebuild-from-truncated-log, which is not there');
  const output = outputOf(commandLine, false);
  await withAccess(options, commandLine, async (access) => {
    const truncated = await truncatedLogsOf(access, commandLine.signal);
    for (const { partition: { topic, partition }, start, snapshotSequence, epoch, recordsKept, resets } of truncated) {
      const from = snapshotSequence === undefined ? 'no snapshot can be read' : `the newest snapshot stands at ${snapshotSequence}`;
      output.line(`partition ${partition} of ${topic} begins at ${start.sequence}, and ${from}: would begin anew under epoch ${epoch}, with ${counted(recordsKept, 'record')}`);
      for (const { family, collection } of resets) output.line(`  reset of ${collection}${family === collection ? '' : ` (${family})`}`);
    }
    if (truncated.length === 0) output.line('no features log is truncated: nothing would be rebuilt');
    output.note('nothing was changed: --dry-run');
  });
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
