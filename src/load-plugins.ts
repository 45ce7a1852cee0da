/** Finds, imports and checks the plugins of a configuration, before anything else is made of it: routes may name their tasks, models their ways to queue. */
import { stat } from 'node:fs/promises';
import { registerHooks } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { pluginError } from './core/errors/plugin.ts';
import { consumers as ownConsumers, type Consumer } from './models/consumers.ts';
import type { PluginUrls } from './models/plugins/plugin-urls.ts';
import { pluginApiVersion, type Plugin } from './plugin.ts';
import { checkedTask } from './plugin-task.ts';
import type { HttpApis } from './server/plugin-apis.ts';
import { tasks as ownTasks } from './tasks/registry.ts';
import type { Task } from './tasks/task.ts';

/** The program's own and those of its plugins. */
export type Extensions = {
  readonly tasks: ReadonlyMap<string, Task>;
  readonly consumers: ReadonlyMap<string, Consumer>;
  readonly httpApis: HttpApis;
  readonly pluginUrls: PluginUrls;
};

/** Without plugins. */
export const ownExtensions: Extensions = { tasks: ownTasks, consumers: new Map(Object.entries(ownConsumers)), httpApis: new Map(), pluginUrls: new Map() };

/** @param directory that paths and packages are looked for from. Rejects with LS_PLUGIN_LOAD, LS_PLUGIN_INVALID or LS_PLUGIN_API_VERSION. */
export async function loadPlugins(specifiers: readonly string[], directory: string): Promise<Extensions> {
  if (specifiers.length === 0) return ownExtensions;
  const [tasks, consumers, httpApis, pluginUrls] = [new Map(ownExtensions.tasks), new Map(ownExtensions.consumers), new Map(ownExtensions.httpApis), new Map<string, string>()];
  for (const specifier of specifiers) {
    const url = await urlOf(specifier, directory);
    const plugin = checked(await imported(specifier, url), specifier);
    add(pluginUrls, plugin.name, url, `${specifier}: a plugin ${plugin.name}`);
    for (const task of plugin.tasks ?? []) add(tasks, task.name, checkedTask(task, plugin.name), `${specifier}: a task ${task.name}`);
    for (const [name, consumer] of Object.entries(plugin.consumers ?? {})) consumers.set(`${plugin.name}/${name}`, consumer);
    for (const [name, api] of Object.entries(plugin.httpApis ?? {})) httpApis.set(`${plugin.name}/${name}`, api);
  }
  return { tasks, consumers, httpApis, pluginUrls };
}

async function urlOf(specifier: string, directory: string): Promise<string> {
  if (/^(\.{0,2}\/|[A-Za-z]:[\\/])/.test(specifier)) return pathToFileURL(resolve(directory, specifier)).href;
  try {
    return packageUrl(specifier, directory);
  } catch (error) {
    const isFile = await stat(resolve(directory, specifier)).then((found) => found.isFile(), () => false);
    const why = isFile ? `a file is called so: ./${specifier} names it` : error instanceof Error ? error.message : String(error);
    throw pluginError('LS_PLUGIN_LOAD', `no package ${JSON.stringify(specifier)} can be imported from ${directory}: ${why}`, { plugin: specifier }, { cause: error });
  }
}

/** What is resolved as a module of the configuration's folder would import it. */
const wanted = 'labelstream-plugin:';

/** import.meta.resolve heeds a second argument behind a flag alone; a hook says from where. */
function packageUrl(specifier: string, directory: string): string {
  const parentURL = pathToFileURL(resolve(directory, 'configuration.js')).href;
  const hooks = registerHooks({ resolve: (asked, context, next) => (asked === wanted + specifier ? next(specifier, { ...context, parentURL }) : next(asked, context)) });
  try {
    return import.meta.resolve(wanted + specifier);
  } finally {
    hooks.deregister();
  }
}

async function imported(specifier: string, url: string): Promise<unknown> {
  try {
    return ((await import(url)) as { readonly default?: unknown }).default;
  } catch (error) {
    throw pluginError('LS_PLUGIN_LOAD', `the plugin ${specifier} cannot be imported: ${error instanceof Error ? error.message : String(error)}`, { plugin: specifier }, { cause: error });
  }
}

const isFunction = z.custom((value) => typeof value === 'function', 'must be a function');
const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'must be 1 to 64 of a-z 0-9 and -, and begin with no -');
const versioned = z.looseObject({ apiVersion: z.int() });

/** Strict: what is misspelt would be left out without a word. */
const pluginShape = z.strictObject({
  apiVersion: z.literal(pluginApiVersion),
  name,
  tasks: z
    .array(
      z.looseObject({
        name,
        accepts: z.array(z.enum(['media', 'text', 'record'])).min(1),
        produces: z.enum(['features', 'label']),
        text: z.enum(['needed', 'none']).optional(),
        classes: z.enum(['needed', 'optional', 'none']).optional(),
        configMistakes: isFunction.optional(),
        input: isFunction,
        output: isFunction,
      }),
    )
    .optional(),
  models: z.record(z.string().min(1), z.looseObject({ open: isFunction })).optional(),
  consumers: z.record(name, isFunction).optional(),
  httpApis: z.record(name, isFunction).optional(),
});

function checked(plugin: unknown, specifier: string): Plugin {
  const version = versioned.safeParse(plugin);
  if (!version.success) throw pluginError('LS_PLUGIN_INVALID', `the default export of ${specifier} is no plugin: it has no apiVersion`, { plugin: specifier });
  const { apiVersion } = version.data;
  if (apiVersion !== pluginApiVersion) {
    const message = `${specifier} is written for version ${apiVersion} of the plugin API; this program has version ${pluginApiVersion}`;
    throw pluginError('LS_PLUGIN_API_VERSION', message, { plugin: specifier, apiVersion });
  }
  const parsed = pluginShape.safeParse(plugin);
  // The plugin itself, not what was parsed: its functions may use `this`.
  if (parsed.success) return plugin as Plugin;
  const mistakes = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'the plugin'}: ${issue.message}`);
  throw pluginError('LS_PLUGIN_INVALID', `${specifier}: ${mistakes.join('; ')}`, { plugin: specifier });
}

function add<Value>(to: Map<string, Value>, key: string, value: Value, what: string): void {
  if (to.has(key)) throw pluginError('LS_PLUGIN_INVALID', `${what} is there already`, { name: key });
  to.set(key, value);
}
