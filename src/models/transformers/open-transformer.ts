/**
 * A transformer in one thread: what its architecture needs is opened, then items are answered one by one. An item's answer depends on the item
 * alone, since nothing is ever executed beside it but the texts that it holds itself.
 */
import { defaultExecutionProviders } from '../execution-providers.ts';
import { failureOf, type InferenceOptions, type ItemFailure, type ItemOutcome } from '../inference.ts';
import type { ModelAnswer, ModelInput } from '../model-port.ts';
import { createPreprocessorResources, type PreprocessorResources } from '../preprocessing/preprocessors.ts';
import type { TransformerArtefacts } from '../repository.ts';
import type { Architecture } from './architectures.ts';
import type { OpenArchitecture } from './architecture-port.ts';
import { openBlip } from './blip.ts';
import { openBlip2 } from './blip2.ts';
import { openClip, openSiglip } from './contrastive.ts';
import { openDetr } from './detr.ts';
import { openGraph, type Graph } from './graph.ts';
import { openOwlVit } from './owlvit.ts';
import { openVitGpt2 } from './vit-gpt2.ts';
import { openWhisper } from './whisper.ts';

const architectures: Readonly<Record<Architecture, OpenArchitecture>> = {
  'vit-gpt2': openVitGpt2,
  blip: openBlip,
  blip2: openBlip2,
  whisper: openWhisper,
  clip: openClip,
  siglip: openSiglip,
  owlvit: openOwlVit,
  detr: openDetr,
};

export type Transformer = {
  /** As OpenedModel's. */
  readonly begin: (inputs: readonly ModelInput[]) => () => Promise<ItemOutcome[]>;
  readonly release: () => Promise<void>;
};

/** Rejects with LS_MODEL_LOAD, or LS_MODEL_PROVIDER where another provider than the CPU was asked for. */
export async function openTransformer(
  artefacts: TransformerArtefacts,
  resources: PreprocessorResources = createPreprocessorResources(),
  { executionProviders = defaultExecutionProviders, executed = () => undefined }: InferenceOptions = {},
): Promise<Transformer> {
  const graphs: Graph[] = [];
  const release = async (): Promise<void> => {
    for (const graph of graphs) await graph.release();
  };
  const open = async (role: string): Promise<Graph> => {
    const graph = await openGraph(artefacts, role, { executionProviders, executed });
    graphs.push(graph);
    return graph;
  };
  try {
    const prepare = await architectures[artefacts.manifest.architecture]({ artefacts, resources, open });
    return { begin: (inputs) => begin(inputs, prepare), release };
  } catch (error) {
    await release();
    throw error;
  }
}

type Prepared = { readonly answer: () => Promise<ModelAnswer> } | { readonly failure: ItemFailure };

function begin(inputs: readonly ModelInput[], prepare: Awaited<ReturnType<OpenArchitecture>>): () => Promise<ItemOutcome[]> {
  const prepared = inputs.map(async (input): Promise<Prepared> => {
    try {
      return { answer: await prepare(input) };
    } catch (error) {
      return { failure: failureOf(error) };
    }
  });
  return async () => {
    const outcomes: ItemOutcome[] = [];
    // One after the other: onnxruntime would interleave them.
    for (const item of prepared) outcomes.push(await outcomeOf(await item));
    return outcomes;
  };
}

async function outcomeOf(item: Prepared): Promise<ItemOutcome> {
  if ('failure' in item) return item;
  try {
    return { answer: await item.answer() };
  } catch (error) {
    return { failure: failureOf(error) };
  }
}
