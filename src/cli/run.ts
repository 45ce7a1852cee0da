import type { Command } from 'commander';
import { counted } from '../core/counted.ts';
import { cliError } from '../core/errors/cli.ts';
import { createProcessContext, type ProcessContext } from '../process-context.ts';
import { rebuildTruncatedLogs, truncatedLogsOf } from '../rebuild-truncated-log.ts';
import { located, SettingsRefused } from '../config/mistakes.ts';
import type { Configuration } from '../config/load.ts';
import { startService, type Service } from '../service.ts';
import { createLogger, loadedConfiguration, outputOf, withAccess, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from './context.ts';
import { ConfigurationMistakes, isInterruption, serviceFailure } from './failure.ts';
import { fileMistakes } from './file-mistakes.ts';
import { withExamples } from './help.ts';

type RunOptions = ConfigurationOptions & {
  readonly untilIdle?: boolean;
  readonly rebuildFromTruncatedLog?: boolean;
  readonly dryRun?: boolean;
};

export function addRunCommand(program: Command, commandLine: CommandLine): void {
  const command = withConfigurationOptions(program.command('run'))
    .summary('process events until stopped')
    .description(
      'run the stages EXTRACT and CLUSTER on what is in the input topics and on what arrives, until SIGINT or SIGTERM. What is in flight is then finished and ' +
        'committed. Other commands work beside it on the same data directory. On the embedded log a second `run` on that directory is refused; on Kafka each takes a share of ' +
        'the partitions (on one host each needs a server.port of its own).',
    )
    .option('--until-idle', 'stop, with exit code 0, once everything that was there at the start is processed')
    .option(
      '--rebuild-from-truncated-log',
      'where a features log has lost its beginning, and no snapshot bridges the gap (LS_STATE_LOG_TRUNCATED), begin anew with the first record kept: items that are only in ' +
        'what is lost are in no cluster any more, clusters get new ids, and consumers are told by `reset` events. Changes nothing where that is not so',
    )
    .option('--dry-run', 'with --rebuild-from-truncated-log: only tell what it would do; also beside a live `run`')
    .action(async (options: RunOptions) => {
      try {
        if (options.dryRun === true) await tellOfRebuild(options, commandLine);
        else await run(options, commandLine);
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
  const mistakes = located(await fileMistakes(configuration, loaded.extensions, 'manifests'), lineOf);
  if (mistakes.length > 0) throw new ConfigurationMistakes(options.config, mistakes);
  const logger = createLogger(configuration.log.level, commandLine);
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

async function start(configuration: Configuration, context: ProcessContext, options: RunOptions, signal: AbortSignal): Promise<Service> {
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
