/** What the main thread and an inference worker say to each other. Requests are answered in the order in which they were made. */
import type { ExecutionProvider } from './execution-providers.ts';
import type { ItemFailure, ItemOutcome } from './inference.ts';
import type { ModelAnswer, ModelInput } from './model-port.ts';
import type { PluginUrls } from './plugins/plugin-urls.ts';
import type { PreprocessorSettings } from './preprocessing/preprocessors.ts';
import type { ModelArtefacts } from './repository.ts';

/** A model as a worker holds it, under a name of its own: while one is reloaded, the old and the new are both there. */
export type WorkerModel = {
  readonly name: string;
  readonly artefacts: ModelArtefacts;
  /** Without them: the CPU. */
  readonly executionProviders?: readonly ExecutionProvider[] | undefined;
};

/** The workerData of an inference worker. */
export type WorkerSetup = {
  readonly models: readonly WorkerModel[];
  readonly preprocessing?: PreprocessorSettings;
  readonly plugins?: PluginUrls | undefined;
  /** Execute every model in all of its shapes before it serves, and refuse one that fails its known-answer test. */
  readonly testKnownAnswers: boolean;
};

export type RunRequest = {
  readonly kind: 'run';
  readonly model: string;
  readonly inputs: readonly ModelInput[];
  /** Restricts the executed batch sizes, for proofs. */
  readonly batchSizes?: readonly number[];
};

/** Answered like a run, and in the same order. */
export type HoldRequest = { readonly kind: 'load'; readonly model: WorkerModel } | { readonly kind: 'unload'; readonly name: string };

export type WorkerRequest = RunRequest | HoldRequest | { readonly kind: 'close' };

export type RunReply = {
  readonly kind: 'result';
  /** The outputs of the items that did not fail, one after the other. */
  readonly outputs: Float32Array<ArrayBuffer>;
  /** Element i: the answer to input i, where it is no row of numbers, or null. Absent where there is none at all. */
  readonly answers?: readonly (ModelAnswer | null)[];
  /** Element i: the failure of input i, or null. */
  readonly failures: readonly (ItemFailure | null)[];
  /** Spent in preprocessing, onnxruntime and postprocessing. */
  readonly durationMs: number;
};

/**
 * A request as it is sent: the bytes of images and sounds are copied once, out of the buffer of many records that they may lie in, and the copy is handed
 * over. Sent as they are, the whole buffer would be copied for each of them.
 */
export function packRequest(request: Omit<RunRequest, 'kind'>): { readonly message: RunRequest; readonly transfer: ArrayBuffer[] } {
  const transfer: ArrayBuffer[] = [];
  const inputs = request.inputs.map((input) => {
    if (input.kind !== 'image' && input.kind !== 'audio') return input;
    const bytes = Uint8Array.from(input.bytes);
    transfer.push(bytes.buffer);
    return { ...input, bytes };
  });
  return { message: { kind: 'run', ...request, inputs }, transfer };
}

/** To a HoldRequest; a model that was refused is not held. */
export type HoldReply = { readonly kind: 'held' } | { readonly kind: 'not-held'; readonly failure: ItemFailure };

/** `progress`: one more batch was executed, of a run or of the proofs before and between them. */
export type WorkerReply = RunReply | HoldReply | { readonly kind: 'ready' } | { readonly kind: 'progress' } | { readonly kind: 'refused'; readonly failure: ItemFailure };

export function packOutcomes(outcomes: readonly ItemOutcome[], durationMs: number): RunReply {
  const outputs = outcomes.flatMap((outcome) => ('output' in outcome ? [outcome.output] : []));
  const packed = new Float32Array(outputs.reduce((total, output) => total + output.length, 0));
  let offset = 0;
  for (const output of outputs) {
    packed.set(output, offset);
    offset += output.length;
  }
  const answers = outcomes.map((outcome) => ('answer' in outcome ? outcome.answer : null));
  const structured = answers.some((answer) => answer !== null) ? { answers } : {};
  return { kind: 'result', outputs: packed, ...structured, failures: outcomes.map((outcome) => ('failure' in outcome ? outcome.failure : null)), durationMs };
}

/** Each output owns its memory: a result that is kept does not keep its whole batch. */
export function unpackOutcomes({ outputs, answers = [], failures }: RunReply): ItemOutcome[] {
  const succeeded = failures.filter((failure, index) => failure === null && (answers[index] ?? null) === null).length;
  const width = succeeded === 0 ? 0 : outputs.length / succeeded;
  let offset = 0;
  return failures.map((failure, index) => {
    if (failure !== null) return { failure };
    const answer = answers[index] ?? null;
    if (answer !== null) return { answer };
    offset += width;
    return { output: outputs.slice(offset - width, offset) };
  });
}
