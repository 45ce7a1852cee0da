/** The configuration that a command names, with its plugins. */
import { readConfiguration, type Configuration, type LoadedConfiguration } from '../config/load.ts';
import { misspeltVariables, type Overrides } from '../config/overrides.ts';
import { loadPlugins, type Extensions } from '../load-plugins.ts';
import { ConfigurationMistakes } from './failure.ts';

export type NamedConfiguration = {
  readonly config: string;
  readonly set: readonly string[];
  readonly defaultModels?: Readonly<Record<string, string>>;
  readonly keys?: Overrides['keys'];
  readonly givers?: Overrides['givers'];
};

export type Surroundings = { readonly environment: Readonly<Record<string, string | undefined>>; readonly stderr: { readonly write: (text: string) => unknown } };

/** Rejects with LS_PLUGIN_* errors. */
export async function loadedConfiguration({ config, set, defaultModels, keys, givers }: NamedConfiguration, { environment, stderr }: Surroundings): Promise<LoadedConfiguration & { readonly extensions: Extensions }> {
  for (const { variable, nearest } of misspeltVariables(environment)) {
    stderr.write(`labelstream: the variable ${variable} sets nothing; is ${nearest} meant?\n`);
  }
  const { plugins, directory, checked } = await readConfiguration({ file: config, environment, assignments: set, defaultModels, keys, givers });
  const extensions = await loadPlugins(plugins, directory);
  return { ...checked({ tasks: [...extensions.tasks.values()], consumers: [...extensions.consumers.keys()] }), extensions };
}

/** Throws ConfigurationMistakes. */
export async function configurationOf(named: NamedConfiguration, surroundings: Surroundings): Promise<{ readonly configuration: Configuration; readonly extensions: Extensions }> {
  const loaded = await loadedConfiguration(named, surroundings);
  if (loaded.configuration === undefined) throw new ConfigurationMistakes(named.config, loaded.mistakes);
  return { configuration: loaded.configuration, extensions: loaded.extensions };
}
