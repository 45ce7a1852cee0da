/** A model that a plugin runs, in one thread: the plugin is imported here once more, and what it answers is checked before anybody sees it. */
import { Tensor } from 'onnxruntime-node';
import { LabelstreamError } from '../../core/errors/error.ts';
import { modelError } from '../../core/errors/model.ts';
import { pluginError } from '../../core/errors/plugin.ts';
import { defaultExecutionProviders } from '../execution-providers.ts';
import { failureOf, type InferenceOptions, type ItemFailure, type ItemOutcome } from '../inference.ts';
import type { ModelInput } from '../model-port.ts';
import { createSession } from '../onnx-session.ts';
import { audioLimits, decodeAudio } from '../preprocessing/audio/audio-decoder.ts';
import { decodedImage } from '../preprocessing/image.ts';
import type { PreprocessorResources } from '../preprocessing/preprocessors.ts';
import { graphFile, type PluginArtefacts } from '../repository.ts';
import { checkedAnswer } from './plugin-answers.ts';
import type { OpenPluginModel, PluginModel, PluginModelParts, PluginSession, PluginTensor } from './plugin-model.ts';
import type { PluginManifest } from './plugin-manifest.ts';
import { pluginUrl, type PluginUrls } from './plugin-urls.ts';

export type OpenedPluginModel = {
  /** Never rejects. @param batchItemsMax how many are given to the plugin at once, for proofs; left out: as many as the manifest says. */
  readonly run: (inputs: readonly ModelInput[], batchItemsMax?: number) => Promise<ItemOutcome[]>;
  readonly release: () => Promise<void>;
};

/** Rejects with LS_PLUGIN_MISSING, LS_PLUGIN_LOAD, and with what the plugin's own `open` rejects with, as LS_MODEL_LOAD where that has no code. */
export async function openPluginModel(artefacts: PluginArtefacts, resources: PreprocessorResources, urls: PluginUrls, options: InferenceOptions = {}): Promise<OpenedPluginModel> {
  const { manifest, directory } = artefacts;
  const found = await modelOf(manifest, pluginUrl(manifest, urls));
  const sessions: { readonly release: () => Promise<void> }[] = [];
  const release = async (): Promise<void> => {
    for (const session of sessions) await session.release();
  };
  let model: OpenPluginModel;
  try {
    model = await found.open(partsOf(artefacts, resources, options, sessions));
  } catch (error) {
    await release();
    if (error instanceof LabelstreamError) throw error;
    throw modelError('LS_MODEL_LOAD', `the plugin ${manifest.plugin} cannot open the model in ${directory}: ${messageOf(error)}`, { directory }, { cause: error });
  }
  return {
    run: (inputs, batchItemsMax = manifest.batchItemsMax) => run(inputs, batchItemsMax, model, manifest),
    release: async () => {
      try {
        await model.release?.();
      } finally {
        await release();
      }
    },
  };
}

async function modelOf({ name, plugin, opens }: PluginManifest, url: string): Promise<PluginModel> {
  let imported: { readonly default?: { readonly models?: Readonly<Record<string, PluginModel>> } };
  try {
    imported = (await import(url)) as typeof imported;
  } catch (error) {
    throw pluginError('LS_PLUGIN_LOAD', `the plugin ${plugin} cannot be imported in a worker: ${messageOf(error)}`, { plugin }, { cause: error });
  }
  const models = imported.default?.models ?? {};
  const model = Object.hasOwn(models, opens) ? models[opens] : undefined;
  if (model !== undefined) return model;
  const known = Object.keys(models).join(', ') || 'none';
  throw pluginError('LS_PLUGIN_MISSING', `the model ${name} is ${JSON.stringify(opens)} of the plugin ${plugin}, which has: ${known}`, { model: name, plugin });
}

function partsOf(artefacts: PluginArtefacts, { imageDecoding }: PreprocessorResources, options: InferenceOptions, sessions: { release: () => Promise<void> }[]): PluginModelParts {
  const { directory, files, manifest } = artefacts;
  const { executionProviders = defaultExecutionProviders, executed = () => undefined } = options;
  return {
    settings: manifest.settings,
    labels: manifest.labels,
    // Copies: what a plugin writes into them is its own affair.
    files: new Map([...files].map(([path, bytes]) => [path, Uint8Array.from(bytes)])),
    openSession: async (path) => {
      const session = await createSession(graphFile(directory, path, files).file, { directory, executionProviders });
      sessions.push(session);
      return { inputNames: session.inputNames, outputNames: session.outputNames, run: (feeds) => runSession(session, path, feeds, manifest).finally(executed) };
    },
    decodeImage: (image) =>
      decodedImage(image, ({ decodeWhole }, bytes) => decodeWhole(bytes, { background: [0, 0, 0], imagePixelsMax: imageDecoding.imagePixelsMax }), imageDecoding),
    decodeAudio: ({ bytes, contentType }) => decodeAudio(bytes, contentType, audioLimits),
    inputError: (message) => modelError('LS_MODEL_INPUT', message),
  };
}

type Session = Awaited<ReturnType<typeof createSession>>;

async function runSession(session: Session, path: string, feeds: Parameters<PluginSession['run']>[0], { plugin }: PluginManifest): ReturnType<PluginSession['run']> {
  let outputs: Awaited<ReturnType<Session['run']>>;
  try {
    const tensors = Object.entries(feeds).map(([name, { type, data, dims }]): [string, Tensor] => [name, new Tensor(type, data, dims)]);
    outputs = await session.run(Object.fromEntries(tensors));
  } catch (error) {
    throw modelError('LS_MODEL_RUN', `onnxruntime failed on this item: ${messageOf(error)}`, {}, { cause: error });
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, pluginTensor(tensor, `the output ${name} of ${path}`, plugin)]));
}

/** Throws LS_PLUGIN_TENSOR. */
function pluginTensor({ type, data, dims }: { readonly type: string; readonly data: unknown; readonly dims: readonly number[] }, what: string, plugin: string): PluginTensor {
  const refuse = (why: string): never => {
    throw pluginError('LS_PLUGIN_TENSOR', `${what} is ${why}; a plugin is given float32, int64 and bool`, { plugin });
  };
  const size = dims.reduce((product, dim) => product * dim, 1);
  const checked = <Data extends { readonly length: number }>(found: Data): Data => (found.length === size ? found : refuse(`${type} with ${found.length} numbers in the shape [${dims.join(', ')}]`));
  if (type === 'float32' && data instanceof Float32Array) return { type, data: checked(data), dims };
  if (type === 'int64' && data instanceof BigInt64Array) return { type, data: checked(data), dims };
  if (type === 'bool' && data instanceof Uint8Array) return { type, data: checked(data), dims };
  return refuse(type);
}

async function run(inputs: readonly ModelInput[], batchItemsMax: number, model: OpenPluginModel, manifest: PluginManifest): Promise<ItemOutcome[]> {
  const outcomes: ItemOutcome[] = [];
  for (let start = 0; start < inputs.length; start += batchItemsMax) outcomes.push(...(await runBatch(inputs.slice(start, start + batchItemsMax), model, manifest)));
  return outcomes;
}

/** Where the plugin fails on a batch, each of its items is tried alone: the others must not suffer. */
async function runBatch(inputs: readonly ModelInput[], model: OpenPluginModel, manifest: PluginManifest): Promise<ItemOutcome[]> {
  try {
    const answers: unknown = await model.answer(inputs);
    if (!Array.isArray(answers) || answers.length !== inputs.length) {
      const found = Array.isArray(answers) ? `${answers.length} answers` : 'no list';
      throw pluginError('LS_PLUGIN_ANSWER', `the plugin ${manifest.plugin} gave ${found} for ${inputs.length} items`, { plugin: manifest.plugin });
    }
    return answers.map((answer: unknown) => (answer instanceof Error ? { failure: pluginFailure(answer, manifest) } : checkedAnswer(answer, manifest)));
  } catch (error) {
    if (inputs.length === 1) return [{ failure: pluginFailure(error, manifest) }];
    const outcomes: ItemOutcome[] = [];
    for (const input of inputs) outcomes.push(...(await runBatch([input], model, manifest)));
    return outcomes;
  }
}

function pluginFailure(error: unknown, { plugin }: PluginManifest): ItemFailure {
  if (error instanceof LabelstreamError) return failureOf(error);
  return { code: 'LS_MODEL_RUN', message: `the plugin ${plugin} failed on this item: ${messageOf(error)}`, details: { plugin } };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
