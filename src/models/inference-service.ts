/** What an inference worker does: open models, prove them by their known answers, then answer one request after the other. */
import type { MessagePort } from 'node:worker_threads';
import { modelError } from '../core/errors/model.ts';
import { createFailureBlame, type FailureBlame } from './failure-blame.ts';
import { failureOf, openInference, type Inference, type ItemOutcome } from './inference.ts';
import { knownAnswerMistakes } from './known-answers.ts';
import { createPreprocessorResources, type PreprocessorResources } from './preprocessing/preprocessors.ts';
import { warmUp } from './warm-up.ts';
import { packOutcomes, type HoldRequest, type RunRequest, type WorkerModel, type WorkerReply, type WorkerRequest, type WorkerSetup } from './worker-protocol.ts';

type ServedModel = { readonly inference: Inference; readonly blame: FailureBlame };

type Reply = (message: WorkerReply, transfer?: ArrayBuffer[]) => void;

type Held = {
  readonly models: Map<string, ServedModel>;
  readonly resources: PreprocessorResources;
  readonly testKnownAnswers: boolean;
  readonly reply: Reply;
};

/** Returns when the models are loaded and requests are listened to, or when they were refused. */
export async function serveInference(setup: WorkerSetup, port: MessagePort): Promise<void> {
  const reply: Reply = (message, transfer = []) => port.postMessage(message, transfer);
  const models = new Map<string, ServedModel>();
  const held: Held = { models, resources: createPreprocessorResources(setup.preprocessing), testKnownAnswers: setup.testKnownAnswers, reply };
  const close = async (): Promise<void> => {
    for (const { inference } of models.values()) await inference.release();
    port.close();
  };
  try {
    for (const model of setup.models) await hold(held, model);
  } catch (error) {
    reply({ kind: 'refused', failure: failureOf(error) });
    await close();
    return;
  }
  // Requests are chained: onnxruntime would interleave them, and a batch must be finished before its successor can kill the thread.
  let last = Promise.resolve();
  let closing = false;
  port.on('message', (request: WorkerRequest) => {
    if (request.kind === 'close') {
      // Nobody waits for what is not begun; to end the thread from outside, within a native call, would end the process.
      closing = true;
      last = last.then(close);
      return;
    }
    if (request.kind !== 'run') {
      last = last.then(() => (closing ? undefined : change(held, request)));
      return;
    }
    // Images are decoded beside the batch that is executed now; what is prepared in this thread waits, or it might kill it meanwhile.
    const prepared = request.inputs.some(({ kind }) => kind === 'image') ? models.get(request.model)?.inference.prepare(request.inputs) : undefined;
    last = last.then(() => (closing ? undefined : answer(models.get(request.model), request, prepared, reply)));
  });
  reply({ kind: 'ready' });
}

/** Leaves nothing open where it rejects. */
async function hold({ models, resources, testKnownAnswers, reply }: Held, { name, artefacts, executionProviders }: WorkerModel): Promise<void> {
  const inference = await openInference(artefacts, resources, { executionProviders, executed: () => reply({ kind: 'progress' }) });
  const mistakes = (): Promise<string[]> => knownAnswerMistakes(artefacts, (inputs, batchSize) => inference.run(inputs, [batchSize]));
  try {
    if (testKnownAnswers) {
      refuseMistakes(await mistakes(), artefacts.directory);
      await warmUp(inference, artefacts);
    }
  } catch (error) {
    await inference.release();
    throw error;
  }
  models.set(name, { inference, blame: createFailureBlame(mistakes, () => performance.now()) });
}

async function change(held: Held, request: HoldRequest): Promise<void> {
  try {
    if (request.kind === 'load') await hold(held, request.model);
    else {
      const model = held.models.get(request.name);
      held.models.delete(request.name);
      await model?.inference.release();
    }
    held.reply({ kind: 'held' });
  } catch (error) {
    held.reply({ kind: 'not-held', failure: failureOf(error) });
  }
}

function refuseMistakes(mistakes: readonly string[], directory: string): void {
  if (mistakes.length === 0) return;
  const message = `the model in ${directory} does not give its known answers:\n  ${mistakes.join('\n  ')}`;
  throw modelError('LS_MODEL_KNOWN_ANSWER', message, { directory, mistakes: mistakes.length });
}

async function answer(model: ServedModel | undefined, request: RunRequest, prepared: ReturnType<Inference['prepare']> | undefined, reply: Reply): Promise<void> {
  const startMs = performance.now();
  const outcomes = model === undefined ? [] : await model.blame(await outcomesOf(model.inference, request, prepared));
  const result = packOutcomes(outcomes, performance.now() - startMs);
  reply(result, [result.outputs.buffer]);
}

async function outcomesOf(inference: Inference, { inputs, batchSizes }: RunRequest, prepared: ReturnType<Inference['prepare']> | undefined): Promise<ItemOutcome[]> {
  return prepared === undefined ? inference.run(inputs, batchSizes) : inference.execute(await prepared, batchSizes);
}
