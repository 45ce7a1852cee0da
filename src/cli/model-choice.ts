/** Which model a command means: one that a configuration binds to a name, or a directory with a manifest, with a configuration or without. */
import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { Configuration } from '../config/load.ts';
import { cliError } from '../core/errors/cli.ts';
import { LabelstreamError } from '../core/errors/error.ts';
import type { Extensions } from '../load-plugins.ts';
import { modelBindings } from '../model-bindings.ts';
import type { ModelBinding } from '../models/repository.ts';
import { configurationOf, type CommandLine } from './context.ts';
import { CommandFailure } from './failure.ts';
import type { ModelOptions } from './model-options.ts';

/** Models, and what runs them. Without a configuration: no bindings. */
export type NamedModels = { readonly configuration: Configuration | undefined; readonly extensions: Extensions; readonly bindings: readonly ModelBinding[] };

/** Throws ConfigurationMistakes, LS_PLUGIN_*, LS_CLI_USAGE. */
export async function namedModels({ config, set, plugin = [] }: ModelOptions, commandLine: CommandLine): Promise<NamedModels> {
  if (config !== undefined) {
    if (plugin.length > 0) throw cliError('LS_CLI_USAGE', 'name plugins in the configuration, under plugins, or by --plugin without a configuration');
    const { configuration, extensions } = await configurationOf({ config, set }, commandLine);
    return { configuration, extensions, bindings: modelBindings(configuration, extensions) };
  }
  if (set.length > 0) throw cliError('LS_CLI_USAGE', '--set needs --config: there is nothing to override without a configuration');
  const { loadPlugins } = await import('../load-plugins.ts');
  return { configuration: undefined, extensions: await loadPlugins(plugin, process.cwd()), bindings: [] };
}

/** A name of the configuration wins over a directory that is called so. Throws LS_CLI_USAGE. */
export async function modelNamed(model: string, { configuration, bindings }: NamedModels): Promise<ModelBinding> {
  const bound = bindings.find(({ name }) => name === model);
  if (bound !== undefined) return bound;
  if (await isDirectory(model)) return { name: basename(resolve(model)), directory: resolve(model) };
  const known = configuration === undefined ? 'without --config it has to be one' : `the configuration names ${listed(bindings.map(({ name }) => name))}`;
  throw cliError('LS_CLI_USAGE', `${model} is no directory of a model; ${known}`);
}

/** Of those whose manifests can be read. Where none is made for the task, what cannot be read might be: rejects with what is wrong with the first of these. */
export async function modelsFor(task: string, bindings: readonly ModelBinding[]): Promise<readonly ModelBinding[]> {
  const [{ tasksOf }, { readManifest }] = await Promise.all([import('../models/manifest.ts'), import('../models/repository.ts')]);
  const found = await Promise.all(bindings.map(({ directory }) => readManifest(directory).then((manifest) => tasksOf(manifest).includes(task), asRefusal)));
  const refusal = found.find((each) => each instanceof LabelstreamError);
  if (refusal !== undefined && !found.includes(true)) throw refusal;
  return bindings.filter((_, index) => found[index] === true);
}

function asRefusal(error: unknown): LabelstreamError {
  if (error instanceof LabelstreamError) return error;
  throw error;
}

export function listed(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}

export async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then((found) => found.isDirectory(), () => false);
}

export async function isModelDirectory(path: string): Promise<boolean> {
  const { manifestName } = await import('../models/repository.ts');
  return stat(join(path, manifestName)).then((found) => found.isFile(), () => false);
}

/** What is wrong with a model that no configuration names is no mistake of a configuration: exit code 1. To be given to `catch`. */
export function asFailure(error: unknown): never {
  throw error instanceof LabelstreamError && error.code !== 'LS_CLI_USAGE' ? new CommandFailure(error.message, { cause: error }) : error;
}
