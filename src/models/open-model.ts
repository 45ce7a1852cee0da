/** A model of any kind, opened in this thread. */
import { openInference, type InferenceOptions, type ItemOutcome } from './inference.ts';
import { knownAnswerMistakes } from './known-answers.ts';
import type { ModelInput } from './model-port.ts';
import type { PluginUrls } from './plugins/plugin-urls.ts';
import type { PreprocessorResources } from './preprocessing/preprocessors.ts';
import type { ModelArtefacts } from './repository.ts';
import { warmUp } from './warm-up.ts';

export type OpenedModel = {
  /**
   * Prepares the items at once; what it gives executes them, when it is called. Neither rejects: every item has its own outcome. `batchSizes`
   * restricts the sizes executed, for proofs.
   */
  readonly begin: (inputs: readonly ModelInput[], batchSizes?: readonly number[]) => () => Promise<ItemOutcome[]>;
  /** Those in its known answers, as it gives them now. */
  readonly mistakes: () => Promise<string[]>;
  /** Rejects with LS_MODEL_LOAD where it cannot be executed as its manifest says. */
  readonly warmUp: () => Promise<void>;
  readonly release: () => Promise<void>;
};

export type OpenModelOptions = InferenceOptions & { readonly plugins?: PluginUrls | undefined };

/** Rejects with LS_MODEL_LOAD, LS_PLUGIN_*, or LS_MODEL_PROVIDER where another provider than the CPU was asked for. */
export async function openModel(artefacts: ModelArtefacts, resources: PreprocessorResources, { plugins = new Map(), ...options }: OpenModelOptions): Promise<OpenedModel> {
  if (artefacts.kind === 'graph') {
    const inference = await openInference(artefacts, resources, options);
    return {
      begin: (inputs, batchSizes) => {
        const prepared = inference.prepare(inputs);
        return async () => inference.execute(await prepared, batchSizes);
      },
      mistakes: () => knownAnswerMistakes(artefacts, (inputs, batchSize) => inference.run(inputs, [batchSize])),
      warmUp: () => warmUp(inference, artefacts),
      release: inference.release,
    };
  }
  // Each worker thread loads what it runs on its own: most have graphs alone, and no decoder of sounds.
  if (artefacts.kind === 'plugin') {
    const { openPluginModel } = await import('./plugins/open-plugin-model.ts');
    const { run, release } = await openPluginModel(artefacts, resources, plugins, options);
    return {
      // Nothing is known of what it does between its items: they are prepared when it is their turn.
      begin: (inputs, batchSizes) => () => run(inputs, batchSizes?.at(-1)),
      mistakes: () => knownAnswerMistakes(artefacts, run),
      // Its known answers went through what shapes it has.
      warmUp: () => Promise.resolve(),
      release,
    };
  }
  const { openTransformer } = await import('./transformers/open-transformer.ts');
  const transformer = await openTransformer(artefacts, resources, options);
  return {
    begin: transformer.begin,
    mistakes: () => knownAnswerMistakes(artefacts, (inputs) => transformer.begin(inputs)()),
    // There is one shape of each graph, and its known answers went through it.
    warmUp: () => Promise.resolve(),
    release: transformer.release,
  };
}
