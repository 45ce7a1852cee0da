/**
 * Paths in a configuration are relative to its file. Which settings are paths is told by their names: `...File`, `directory`, `...Directory` and
 * `...Directories`; and `labels`, where it is no URL.
 */
import { resolve } from 'node:path';
import type { Settings } from './settings.ts';

/** Of the others some have names that users choose: attributes of events, collections. */
const partsWithPaths = ['dataDirectory', 'schemaDirectories', 'transport', 'registry', 'state', 'media', 'models', 'server'] as const satisfies readonly (keyof Settings)[];

const pathName = /(?:^directory|^directories|File|Directory|Directories)$/;

/** @param base the directory of the configuration file. */
export function withResolvedPaths<Configuration extends Pick<Settings, (typeof partsWithPaths)[number]>>(configuration: Configuration, base: string): Configuration {
  const parts = partsWithPaths.flatMap((name) => (configuration[name] === undefined ? [] : [[name, resolved(name, configuration[name], base)]]));
  return { ...configuration, ...(Object.fromEntries(parts) as Configuration) };
}

export function isUrl(location: string): boolean {
  return location.startsWith('https://');
}

function resolved(name: string, value: unknown, base: string): unknown {
  if (Array.isArray(value)) return value.map((element) => resolved(name, element, base));
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, resolved(key, child, base)]));
  if (typeof value !== 'string') return value;
  const isPath = pathName.test(name) || (name === 'labels' && !isUrl(value));
  return isPath ? resolve(base, value) : value;
}
