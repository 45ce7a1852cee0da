/** Where plugins lie: inference workers import them by themselves. */
import { pluginError } from '../../core/errors/plugin.ts';
import type { PluginManifest } from './plugin-manifest.ts';

/** The URL of each plugin by its name. */
export type PluginUrls = ReadonlyMap<string, string>;

/** Throws LS_PLUGIN_MISSING. */
export function pluginUrl({ name, plugin }: PluginManifest, urls: PluginUrls): string {
  const url = urls.get(plugin);
  if (url !== undefined) return url;
  const known = [...urls.keys()].join(', ') || 'none';
  throw pluginError('LS_PLUGIN_MISSING', `the model ${name} is run by the plugin ${JSON.stringify(plugin)}, which is not loaded (\`plugins\` of a configuration, or --plugin, name it); loaded are: ${known}`, { model: name, plugin });
}
