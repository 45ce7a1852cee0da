/** What a configuration says of its models, as the model server needs it. */
import type { Configuration } from './config/load.ts';
import type { ExecutionProvider } from './models/execution-providers.ts';
import type { ModelBinding } from './models/repository.ts';

export function modelBindings({ models, routes }: Configuration): readonly ModelBinding[] {
  const used = new Set(routes.flatMap(({ steps }) => steps.map(({ model }) => model)));
  return Object.entries(models).map(([name, { directory, preload, executionProviders }]) => ({
    name,
    directory,
    preload,
    executionProviders: executionProviders?.map((provider): ExecutionProvider => (typeof provider === 'string' ? { name: provider } : provider)),
    isPinned: used.has(name),
  }));
}
