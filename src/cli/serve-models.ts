/** What `serve` runs. */
import type { Configuration } from '../config/load.ts';
import { located } from '../config/mistakes.ts';
import { createProcessContext } from '../process-context.ts';
import { startServing } from '../serving.ts';
import { loadedConfiguration } from './configured.ts';
import type { CommandLine, ConfigurationOptions } from './context.ts';
import { ConfigurationMistakes } from './failure.ts';
import { fileMistakes } from './file-mistakes.ts';
import { createLogger } from './logger.ts';
import { serveSettings, type ServeFlags } from './serve-settings.ts';
import { skillSettings, variablesInFile } from './skill-settings.ts';

export type ServeOptions = ConfigurationOptions & ServeFlags;

export async function serveModels(options: ServeOptions, commandLine: CommandLine): Promise<void> {
  const file = await variablesInFile();
  const { assignments, defaultModels, givers } = serveSettings(options, options.set, commandLine.environment, file);
  const skill = skillSettings(commandLine.environment, file, options.set);
  const loaded = await loadedConfiguration({ config: options.config, set: [...skill.assignments, ...assignments], defaultModels, keys: skill.keys, givers: { ...skill.givers, ...givers } }, commandLine);
  if (loaded.configuration === undefined) throw new ConfigurationMistakes(options.config, loaded.mistakes);
  const { configuration, extensions, lineOf } = loaded;
  const mistakes = located(await fileMistakes(configuration, extensions, 'manifests'), lineOf);
  if (mistakes.length > 0) throw new ConfigurationMistakes(options.config, mistakes);
  await serve(configuration, loaded, commandLine);
}

type Loaded = Pick<Awaited<ReturnType<typeof loadedConfiguration>> & { readonly configuration: Configuration }, 'extensions' | 'plainSecrets'>;

async function serve(configuration: Configuration, { extensions, plainSecrets }: Loaded, commandLine: CommandLine): Promise<void> {
  const logger = await createLogger(configuration.log.level, commandLine);
  for (const { setting, line, message } of plainSecrets) logger.warn({ setting, line }, message);
  const context = await createProcessContext(logger, extensions);
  if (commandLine.signal.aborted) return;
  const serving = await startServing(configuration, context);
  logger.info({ url: serving.url }, 'serving');
  await new Promise((resolve) => {
    if (commandLine.signal.aborted) resolve(undefined);
    commandLine.signal.addEventListener('abort', resolve, { once: true });
  });
  logger.info({ reason: 'signal' }, 'stopping');
  const { forced } = await serving.stop();
  logger.info({ forced, longestStallMs: Math.round(serving.longestStallMs()) }, 'stopped');
}
