/** What an inference worker does: open its models, prove them by their known answers, then answer one request after the other. */
import type { MessagePort } from 'node:worker_threads';
import { modelError } from '../core/errors/model.ts';
import { failureOf, openInference, type Inference } from './inference.ts';
import { knownAnswerMistakes } from './known-answers.ts';
import { packOutcomes, type RunRequest, type WorkerReply, type WorkerRequest, type WorkerSetup } from './worker-protocol.ts';

/** Returns when the models are loaded and requests are listened to, or when they were refused. */
export async function serveInference(setup: WorkerSetup, port: MessagePort): Promise<void> {
  const reply = (message: WorkerReply, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
  const models = new Map<string, Inference>();
  const close = async (): Promise<void> => {
    for (const inference of models.values()) await inference.release();
    port.close();
  };
  try {
    for (const { name, artefacts } of setup.models) {
      const inference = await openInference(artefacts);
      models.set(name, inference);
      if (setup.testKnownAnswers) await testKnownAnswers(inference, artefacts);
    }
  } catch (error) {
    reply({ kind: 'refused', failure: failureOf(error) });
    await close();
    return;
  }
  // Runs are chained: onnxruntime would interleave them, and a batch must be finished before its successor can kill the thread.
  let last = Promise.resolve();
  port.on('message', (request: WorkerRequest) => {
    last = last.then(() => (request.kind === 'close' ? close() : answer(models, request, reply)));
  });
  reply({ kind: 'ready' });
}

async function testKnownAnswers(inference: Inference, { directory, manifest }: WorkerSetup['models'][number]['artefacts']): Promise<void> {
  const mistakes = await knownAnswerMistakes(manifest, (inputs, batchSize) => inference.run(inputs, [batchSize]));
  if (mistakes.length === 0) return;
  const message = `the model in ${directory} does not give its known answers:\n  ${mistakes.join('\n  ')}`;
  throw modelError('LS_MODEL_KNOWN_ANSWER', message, { directory, mistakes: mistakes.length });
}

async function answer(
  models: ReadonlyMap<string, Inference>,
  request: RunRequest,
  reply: (message: WorkerReply, transfer: ArrayBuffer[]) => void,
): Promise<void> {
  const startMs = performance.now();
  const outcomes = await models.get(request.model)?.run(request.inputs, request.batchSizes);
  const result = packOutcomes(outcomes ?? [], performance.now() - startMs);
  reply(result, [result.outputs.buffer]);
}
