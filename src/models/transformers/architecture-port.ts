/** What an architecture implements. Adding one: its traits in architectures.ts, one file beside this one, one line in open-transformer.ts. */
import type { ModelAnswer, ModelInput } from '../model-port.ts';
import type { PreprocessorResources } from '../preprocessing/preprocessors.ts';
import type { TransformerArtefacts } from '../repository.ts';
import type { Graph } from './graph.ts';

export type ArchitectureParts = {
  readonly artefacts: TransformerArtefacts;
  readonly resources: PreprocessorResources;
  /** Opens the graph of a role; it is released with the model. */
  readonly open: (role: string) => Promise<Graph>;
};

/** Prepares an item beside what is executed; what it resolves with answers it. Both reject with LS_* errors. */
export type Prepare = (input: ModelInput) => Promise<() => Promise<ModelAnswer>>;

/** Rejects with LS_MODEL_LOAD where a file is not what the architecture needs. */
export type OpenArchitecture = (parts: ArchitectureParts) => Promise<Prepare>;
