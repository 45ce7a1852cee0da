/** What an inference worker does: open models, prove them by their known answers, then answer one request after the other. */
import type { MessagePort } from 'node:worker_threads';
import { modelError } from '../core/errors/model.ts';
import { createFailureBlame, type FailureBlame } from './failure-blame.ts';
import { failureOf } from './inference.ts';
import { openModel, type OpenedModel } from './open-model.ts';
import type { PluginUrls } from './plugins/plugin-urls.ts';
import { createPreprocessorResources, type PreprocessorResources } from './preprocessing/preprocessors.ts';
import { packOutcomes, type HoldRequest, type RunRequest, type WorkerModel, type WorkerReply, type WorkerRequest, type WorkerSetup } from './worker-protocol.ts';

type ServedModel = { readonly opened: OpenedModel; readonly blame: FailureBlame };

type Reply = (message: WorkerReply, transfer?: ArrayBuffer[]) => void;

type Held = {
  readonly models: Map<string, ServedModel>;
  readonly resources: PreprocessorResources;
  readonly plugins: PluginUrls | undefined;
  readonly testKnownAnswers: boolean;
  readonly reply: Reply;
};

/** Returns when the models are loaded and requests are listened to, or when they were refused. */
export async function serveInference(setup: WorkerSetup, port: MessagePort): Promise<void> {
  const reply: Reply = (message, transfer = []) => port.postMessage(message, transfer);
  const models = new Map<string, ServedModel>();
  const held: Held = { models, resources: createPreprocessorResources(setup.preprocessing), plugins: setup.plugins, testKnownAnswers: setup.testKnownAnswers, reply };
  const close = async (): Promise<void> => {
    for (const { opened } of models.values()) await opened.release();
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
    const begun = request.inputs.some(({ kind }) => kind === 'image') ? models.get(request.model)?.opened.begin(request.inputs, request.batchSizes) : undefined;
    last = last.then(() => (closing ? undefined : answer(models.get(request.model), request, begun, reply)));
  });
  reply({ kind: 'ready' });
}

/** Leaves nothing open where it rejects. */
async function hold({ models, resources, plugins, testKnownAnswers, reply }: Held, { name, artefacts, executionProviders }: WorkerModel): Promise<void> {
  const opened = await openModel(artefacts, resources, { executionProviders, plugins, executed: () => reply({ kind: 'progress' }) });
  try {
    if (testKnownAnswers) {
      refuseMistakes(await opened.mistakes(), artefacts.directory);
      await opened.warmUp();
    }
  } catch (error) {
    await opened.release();
    throw error;
  }
  models.set(name, { opened, blame: createFailureBlame(opened.mistakes, () => performance.now()) });
}

async function change(held: Held, request: HoldRequest): Promise<void> {
  try {
    if (request.kind === 'load') await hold(held, request.model);
    else {
      const model = held.models.get(request.name);
      held.models.delete(request.name);
      await model?.opened.release();
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

async function answer(model: ServedModel | undefined, request: RunRequest, begun: ReturnType<OpenedModel['begin']> | undefined, reply: Reply): Promise<void> {
  const startMs = performance.now();
  const outcomes = model === undefined ? [] : await model.blame(await (begun ?? model.opened.begin(request.inputs, request.batchSizes))());
  const result = packOutcomes(outcomes, performance.now() - startMs);
  reply(result, [result.outputs.buffer]);
}
