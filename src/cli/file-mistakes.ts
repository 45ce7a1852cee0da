/**
 * What is wrong with a configuration by the files that it names: the models with their manifests and what computes them, the schema directories, and the files with secrets and certificates. What only the
 * log can tell, `run` finds when it opens the log.
 */
import { opendir } from 'node:fs/promises';
import { openCodec } from '../codec/codec.ts';
import type { Configuration } from '../config/load.ts';
import type { SettingPath, UnlocatedMistake } from '../config/mistakes.ts';
import { LabelstreamError } from '../core/errors/error.ts';
import { mediaError } from '../core/errors/media.ts';
import type { RouteStep } from '../core/routes.ts';
import { stepsOf } from '../core/templates.ts';
import type { Extensions } from '../load-plugins.ts';
import { modelBindings } from '../model-bindings.ts';
import { defaultWorkerCount } from '../models/cpu-limit.ts';
import { requireProviders } from '../models/execution-providers.ts';
import { tasksOf, type Manifest } from '../models/manifest.ts';
import { estimatedMemoryBytes, requireFit } from '../models/model-memory.ts';
import { pluginUrl } from '../models/plugins/plugin-urls.ts';
import { loadArtefacts, readManifest } from '../models/repository.ts';
import { architectures } from '../models/transformers/architectures.ts';
import { readAuthorities, readContentCredentials } from '../open-content-fetcher.ts';
import { readRegistryCredentials } from '../open-registry.ts';
import { readStateCredentials } from '../open-state-store.ts';
import { readKafkaSasl, readKafkaTls } from '../open-transport.ts';
import { readServerTls } from '../server/tls.ts';

/** @param depth `contents` hashes every file of every model; `manifests` leaves that to whoever loads them. */
export async function fileMistakes(configuration: Configuration, extensions: Extensions, depth: 'manifests' | 'contents'): Promise<readonly UnlocatedMistake[]> {
  const mistakes: UnlocatedMistake[] = [];
  const attempt = async <Result>(path: SettingPath, work: () => Promise<Result>): Promise<Result | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof LabelstreamError)) throw error;
      mistakes.push({ code: error.code, path, message: error.message, remedy: error.description.remedy });
      return undefined;
    }
  };
  for (const [index, directory] of configuration.schemaDirectories.entries()) {
    await attempt(['schemaDirectories', index], () => openCodec({ schemaDirectories: [directory] }));
  }
  const { transport, state, registry } = configuration;
  if (transport.kind === 'kafka') {
    await attempt(['transport', 'tls'], () => readKafkaTls(transport));
    await attempt(['transport', 'sasl'], () => readKafkaSasl(transport));
  }
  if (state.kind === 'blob') await attempt(['state'], () => readStateCredentials(state));
  if (registry !== undefined) await attempt(['registry'], () => readRegistryCredentials(registry));
  for (const [index, directory] of configuration.media.directories.entries()) {
    await attempt(['media', 'directories', index], () => requireDirectory(directory));
  }
  for (const [name, container] of Object.entries(configuration.media.containers)) {
    await attempt(['media', 'containers', name], () => readContentCredentials(name, container));
  }
  const { tls } = configuration.server;
  if (tls !== undefined) await attempt(['server', 'tls'], () => readServerTls(tls));
  await attempt(['media', 'fetch', 'caFile'], () => readAuthorities(configuration.media));
  for (const { name, executionProviders } of modelBindings(configuration, extensions)) {
    await attempt(['models', name, 'executionProviders'], () => requireProviders(executionProviders));
  }
  const { workerCount, memoryBytesMax } = configuration.inference;
  const manifests = new Map<string, Manifest>();
  for (const [name, { directory }] of Object.entries(configuration.models)) {
    const read = async (): Promise<Manifest> => {
      const found = await readManifest(directory);
      if (found.kind === 'plugin') pluginUrl(found, extensions.pluginUrls);
      if (depth === 'manifests') return found;
      const artefacts = await loadArtefacts(directory);
      requireFit(name, estimatedMemoryBytes(artefacts, workerCount ?? (await defaultWorkerCount())), memoryBytesMax);
      return artefacts.manifest;
    };
    const manifest = await attempt(['models', name, 'directory'], read);
    if (manifest !== undefined) manifests.set(name, manifest);
  }
  return [...mistakes, ...taskMistakes(configuration, manifests), ...defaultMistakes(configuration, manifests), ...reproducibilityMistakes(configuration, manifests)];
}

async function requireDirectory(directory: string): Promise<void> {
  try {
    await (await opendir(directory)).close();
  } catch (error) {
    throw mediaError('LS_MEDIA_UNAVAILABLE', (error as Error).message, { directory }, { cause: error });
  }
}

/** Whether each model is made for the task that a step gives it. */
function taskMistakes({ routes }: Configuration, manifests: ReadonlyMap<string, Manifest>): readonly UnlocatedMistake[] {
  return routes.flatMap((route, routeIndex) =>
    route.steps.flatMap((step) => {
      const made = manifests.get(step.model);
      if (made === undefined) return [];
      const tasks = tasksOf(made);
      if (tasks.includes(step.task)) return classMistakes(made, step, { route: route.name, routeIndex });
      return {
        code: 'LS_CONFIG_COMBINATION',
        path: ['routes', routeIndex, 'steps'],
        message: `the step ${step.name} of route ${route.name} asks for ${step.task}, but its model ${made.name} is made for ${tasks.join(', ')}`,
        remedy: `Give the step a model that is made for ${step.task}, or the task ${tasks[0]}.`,
      };
    }),
  );
}

/** Whether each model is made for the task whose default it is. */
function defaultMistakes({ server: { defaults } }: Configuration, manifests: ReadonlyMap<string, Manifest>): readonly UnlocatedMistake[] {
  return Object.entries(defaults.models).flatMap(([task, model]) => {
    const made = manifests.get(model);
    const tasks = made === undefined ? [task] : tasksOf(made);
    if (tasks.includes(task)) return [];
    return {
      code: 'LS_CONFIG_COMBINATION',
      path: ['server', 'defaults', 'models', task],
      message: `the model ${model} is made for ${tasks.join(', ')}, not for ${task}`,
      remedy: `Name a model that is made for ${task}, or none.`,
    };
  });
}

/** Whether a step names classes for a model that has its own, or none for one that has to be given some: the task allows both. */
function classMistakes(made: Manifest, { name, parameters }: RouteStep, { route, routeIndex }: { readonly route: string; readonly routeIndex: number }): readonly UnlocatedMistake[] {
  const isNeeded = made.kind === 'transformers' && architectures[made.architecture].classes === 'needed';
  if (isNeeded === (parameters?.classes !== undefined)) return [];
  const step = `the step ${name} of route ${route}`;
  return [
    {
      code: 'LS_CONFIG_COMBINATION',
      path: ['routes', routeIndex, 'steps'],
      message: isNeeded ? `${step} names no classes, and its model ${made.name} has none of its own` : `${step} names classes, and its model ${made.name} takes none`,
      remedy: isNeeded ? 'Add classes: [NAME, ...] to the step.' : 'Remove the classes, or give the step a model that looks for any, such as OWL-ViT.',
    },
  ];
}

/** Whether a collection gets what its inputs alone do not decide (SEMANTICS.md, rule 6): vectors, or the labels in its template. */
function reproducibilityMistakes({ routes, collections }: Configuration, manifests: ReadonlyMap<string, Manifest>): readonly UnlocatedMistake[] {
  return collections.flatMap(({ name, allowUnreproducible }, index) => {
    if (allowUnreproducible) return [];
    const feeding = routes.flatMap(({ steps }) =>
      steps
        .filter(({ collection }) => collection?.text === name)
        .flatMap((step) => [step, ...steps.filter((other) => step.collection !== undefined && stepsOf(step.collection).includes(other.name))]),
    );
    const models = new Set(feeding.map(({ model }) => model).filter((model) => manifests.get(model)?.reproducible === false));
    return [...models].map((model) => ({
      code: 'LS_CONFIG_COMBINATION',
      path: ['collections', index],
      message: `the collection ${name} depends on the model ${model}, whose manifest says reproducible: false`,
      remedy: 'Use a model that is reproducible, or add allowUnreproducible: true to the collection and know that repeated items may move.',
    }));
  });
}
