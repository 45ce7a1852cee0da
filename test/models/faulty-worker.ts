/**
 * An inference worker that really dies, or whose models turn bad: the service as it is, with a fault before it that an item sets off by its
 * text. While a model's directory holds a file named `blocked`, no worker starts; while it holds `exit-at-load`, a worker that is to load it
 * beside others dies.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, type Tensor } from 'onnxruntime-node';
import { serveInference } from '../../src/models/inference-service.ts';
import type { WorkerRequest, WorkerSetup } from '../../src/models/worker-protocol.ts';

const breakages = ['none', 'nan', 'nan-scores', 'throw', 'slow'] as const;
let breakage: (typeof breakages)[number] = 'none';

const faults: Readonly<Record<string, (argument: string) => void>> = {
  exit: () => process.exit(9),
  throw: () => {
    throw new Error('thrown in the worker');
  },
  /** Searches for ever, as a pattern of a tokenizer could. */
  hang: () => void /^(\w+\s?)*$/.test(`${'a'.repeat(100)}!`),
  memory: () => {
    // In small pieces: Node gives a thread that has reached its limit 16 MB more to end in, and V8 ends the process where those are used up, too.
    let chain: unknown;
    for (;;) chain = { chain };
  },
  /** Dies unless the file is there, and makes it: the second time the item is harmless. */
  once: (path) => {
    if (existsSync(path)) return;
    writeFileSync(path, '');
    process.exit(9);
  },
  /** Dies; the second time no worker starts after it. */
  last: (path) => {
    const before = `${path}-once`;
    writeFileSync(existsSync(before) ? path : before, '');
    process.exit(9);
  },
  /** From this batch on every model (or every one that gives scores) gives NaN, or fails, or takes its time, whatever it is given; until it is told otherwise. */
  turn: (argument) => {
    breakage = breakages.find((each) => each === argument) ?? 'none';
  },
};

const createSession: (bytes: Uint8Array, options: InferenceSession.SessionOptions) => Promise<InferenceSession> = InferenceSession.create.bind(InferenceSession);
Object.assign(InferenceSession, {
  create: async (bytes: Uint8Array, options: InferenceSession.SessionOptions) => {
    const session = await createSession(bytes, options);
    const run: (feeds: InferenceSession.FeedsType, names: string[]) => Promise<Record<string, Tensor>> = session.run.bind(session);
    return Object.assign(session, {
      run: async (feeds: InferenceSession.FeedsType, names: string[]) => {
        if (breakage === 'throw') throw new Error('the session is broken');
        if (breakage === 'slow') await sleep(500);
        const results = await run(feeds, names);
        const isBroken = breakage === 'nan' || (breakage === 'nan-scores' && names.includes('probabilities'));
        for (const { data } of Object.values(results)) if (isBroken && data instanceof Float32Array) data.fill(Number.NaN);
        return results;
      },
    });
  },
});

const setup = workerData as WorkerSetup;
if (setup.models.some(({ artefacts }) => existsSync(join(artefacts.directory, 'blocked')))) throw new Error('no worker starts at present');
if (parentPort === null) throw new Error('this is a worker');
parentPort.on('message', (request: WorkerRequest) => {
  if (request.kind === 'load' && existsSync(join(request.model.artefacts.directory, 'exit-at-load'))) process.exit(9);
  if (request.kind !== 'run') return;
  for (const input of request.inputs) {
    const [word, fault = '', argument = ''] = input.kind === 'text' ? input.text.split(' ') : [];
    if (word === 'fault') faults[fault]?.(argument);
  }
});
await serveInference(setup, parentPort);
