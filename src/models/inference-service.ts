/** What an inference worker does: open its models, prove them by their known answers, then answer one request after the other. */
import type { MessagePort } from 'node:worker_threads';
import { modelError } from '../core/errors/model.ts';
import { createFailureBlame, type FailureBlame } from './failure-blame.ts';
import { failureOf, openInference, type Inference, type ItemOutcome } from './inference.ts';
import { knownAnswerMistakes } from './known-answers.ts';
import { createPreprocessorResources } from './preprocessing/preprocessors.ts';
import { packOutcomes, type RunRequest, type WorkerReply, type WorkerRequest, type WorkerSetup } from './worker-protocol.ts';

type ServedModel = { readonly inference: Inference; readonly blame: FailureBlame };

/** Returns when the models are loaded and requests are listened to, or when they were refused. */
export async function serveInference(setup: WorkerSetup, port: MessagePort): Promise<void> {
  const reply = (message: WorkerReply, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
  const models = new Map<string, ServedModel>();
  const close = async (): Promise<void> => {
    for (const { inference } of models.values()) await inference.release();
    port.close();
  };
  const resources = createPreprocessorResources(setup.preprocessing);
  try {
    for (const { name, artefacts } of setup.models) {
      const inference = await openInference(artefacts, resources, () => reply({ kind: 'progress' }));
      const mistakes = (): Promise<string[]> => knownAnswerMistakes(artefacts, (inputs, batchSize) => inference.run(inputs, [batchSize]));
      models.set(name, { inference, blame: createFailureBlame(mistakes, () => performance.now()) });
      if (setup.testKnownAnswers) refuseMistakes(await mistakes(), artefacts.directory);
    }
  } catch (error) {
    reply({ kind: 'refused', failure: failureOf(error) });
    await close();
    return;
  }
  // Runs are chained: onnxruntime would interleave them, and a batch must be finished before its successor can kill the thread.
  let last = Promise.resolve();
  let closing = false;
  port.on('message', (request: WorkerRequest) => {
    if (request.kind === 'close') {
      // Nobody waits for what is not begun; to end the thread from outside, within a native call, would end the process.
      closing = true;
      last = last.then(close);
      return;
    }
    const model = models.get(request.model);
    // Images are decoded beside the batch that is executed now; what is prepared in this thread waits, or it might kill it meanwhile.
    const prepared = request.inputs.some(({ kind }) => kind === 'image') ? model?.inference.prepare(request.inputs) : undefined;
    last = last.then(() => (closing ? undefined : answer(model, request, prepared, reply)));
  });
  reply({ kind: 'ready' });
}

function refuseMistakes(mistakes: readonly string[], directory: string): void {
  if (mistakes.length === 0) return;
  const message = `the model in ${directory} does not give its known answers:\n  ${mistakes.join('\n  ')}`;
  throw modelError('LS_MODEL_KNOWN_ANSWER', message, { directory, mistakes: mistakes.length });
}

async function answer(
  model: ServedModel | undefined,
  request: RunRequest,
  prepared: ReturnType<Inference['prepare']> | undefined,
  reply: (message: WorkerReply, transfer: ArrayBuffer[]) => void,
): Promise<void> {
  const startMs = performance.now();
  const outcomes = model === undefined ? [] : await model.blame(await outcomesOf(model.inference, request, prepared));
  const result = packOutcomes(outcomes, performance.now() - startMs);
  reply(result, [result.outputs.buffer]);
}

async function outcomesOf(inference: Inference, { inputs, batchSizes }: RunRequest, prepared: ReturnType<Inference['prepare']> | undefined): Promise<ItemOutcome[]> {
  return prepared === undefined ? inference.run(inputs, batchSizes) : inference.execute(await prepared, batchSizes);
}
