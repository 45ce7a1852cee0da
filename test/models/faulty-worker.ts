/**
 * An inference worker that really dies: the service as it is, with a fault before it that an item sets off by its text. While a model's
 * directory holds a file named `blocked`, no worker starts.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { serveInference } from '../../src/models/inference-service.ts';
import type { WorkerRequest, WorkerSetup } from '../../src/models/worker-protocol.ts';

const faults: Readonly<Record<string, (argument: string) => void>> = {
  exit: () => process.exit(9),
  throw: () => {
    throw new Error('thrown in the worker');
  },
  memory: () => {
    const hoard: unknown[] = [];
    for (;;) hoard.push(Array.from({ length: 10_000 }, (_, index) => ({ index })));
  },
  /** Dies unless the file is there, and makes it: the second time the item is harmless. */
  once: (path) => {
    if (existsSync(path)) return;
    writeFileSync(path, '');
    process.exit(9);
  },
};

const setup = workerData as WorkerSetup;
if (setup.models.some(({ artefacts }) => existsSync(join(artefacts.directory, 'blocked')))) throw new Error('no worker starts at present');
if (parentPort === null) throw new Error('this is a worker');
parentPort.on('message', (request: WorkerRequest) => {
  if (request.kind !== 'run') return;
  for (const input of request.inputs) {
    const [word, fault = '', argument = ''] = input.kind === 'text' ? input.text.split(' ') : [];
    if (word === 'fault') faults[fault]?.(argument);
  }
});
await serveInference(setup, parentPort);
