/** A model of any kind, opened in this thread. */
import { openInference, type InferenceOptions, type ItemOutcome } from './inference.ts';
import { knownAnswerMistakes } from './known-answers.ts';
import type { ModelInput } from './model-port.ts';
import type { PreprocessorResources } from './preprocessing/preprocessors.ts';
import type { ModelArtefacts } from './repository.ts';
import { openTransformer } from './transformers/open-transformer.ts';
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

/** Rejects with LS_MODEL_LOAD, or LS_MODEL_PROVIDER where another provider than the CPU was asked for. */
export async function openModel(artefacts: ModelArtefacts, resources: PreprocessorResources, options: InferenceOptions): Promise<OpenedModel> {
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
  const transformer = await openTransformer(artefacts, resources, options);
  return {
    begin: transformer.begin,
    mistakes: () => knownAnswerMistakes(artefacts, (inputs) => transformer.begin(inputs)()),
    // There is one shape of each graph, and its known answers went through it.
    warmUp: () => Promise.resolve(),
    release: transformer.release,
  };
}
