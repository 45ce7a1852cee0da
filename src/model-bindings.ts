/** What a configuration says of its models, as the model server needs it. */
import type { Configuration } from './config/load.ts';
import type { Extensions } from './load-plugins.ts';
import type { ExecutionProvider } from './models/execution-providers.ts';
import type { ModelBinding } from './models/repository.ts';

/** Consumers that nobody has were refused before. @param unloaded models that are not loaded at the start, whatever the configuration says. */
export function modelBindings({ models, routes, inference }: Configuration, { consumers }: Pick<Extensions, 'consumers'>, unloaded: ReadonlySet<string> = new Set()): readonly ModelBinding[] {
  const used = new Set(routes.flatMap(({ steps }) => steps.map(({ model }) => model)));
  return Object.entries(models).map(([name, { directory, preload, consumer, executionProviders }]) => ({
    name,
    directory,
    preload: preload && !unloaded.has(name),
    consumer: consumers.get(consumer ?? inference.consumer),
    executionProviders: executionProviders?.map((provider): ExecutionProvider => (typeof provider === 'string' ? { name: provider } : provider)),
    isPinned: used.has(name),
  }));
}
