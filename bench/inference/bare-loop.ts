/** The loop that somebody would write around a model: threads that each have a session, and a batch under way and one prefetched for each. */
import { Worker } from 'node:worker_threads';
import type { ModelInput } from '../../src/models/model-port.ts';
import type { GraphArtefacts } from '../../src/models/repository.ts';
import type { BareReply, BareSetup } from './bare-worker-child.ts';

export type BareLoop = {
  /** As `2 x 1`: threads of the loop x threads of onnxruntime in each. */
  readonly name: string;
  /** Element i: the output of item i. */
  readonly run: (inputs: readonly ModelInput[], batchItems: number) => Promise<Float32Array[]>;
  readonly close: () => Promise<void>;
};

export async function openBareLoop(artefacts: GraphArtefacts, workers: number, threads: number): Promise<BareLoop> {
  const opened = await Promise.all(Array.from({ length: workers }, () => openThread({ artefacts, threads })));
  return {
    name: `${workers} x ${threads}`,
    run: async (inputs, batchItems) => {
      const outputs: Float32Array[] = [];
      let next = 0;
      const loop = async (thread: Thread): Promise<void> => {
        while (next < inputs.length) {
          const start = next;
          next += batchItems;
          const batch = inputs.slice(start, start + batchItems);
          const all = await thread.run(batch);
          const width = all.length / batch.length;
          for (const index of batch.keys()) outputs[start + index] = all.subarray(index * width, (index + 1) * width);
        }
      };
      await Promise.all(opened.flatMap((thread) => [loop(thread), loop(thread)]));
      return outputs;
    },
    close: async () => {
      await Promise.all(opened.map((thread) => thread.close()));
    },
  };
}

type Thread = { readonly run: (inputs: readonly ModelInput[]) => Promise<BareReply>; readonly close: () => Promise<void> };

async function openThread(setup: BareSetup): Promise<Thread> {
  const worker = new Worker(new URL('./bare-worker-child.ts', import.meta.url), { workerData: setup });
  const waiting: { readonly resolve: (reply: BareReply) => void; readonly reject: (error: Error) => void }[] = [];
  const answer = (): Promise<BareReply> => new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  worker.on('message', (reply: BareReply) => waiting.shift()?.resolve(reply));
  worker.on('error', (error: Error) => {
    for (const { reject } of waiting.splice(0)) reject(error);
  });
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  await answer();
  return {
    run: (inputs) => {
      const replied = answer();
      // What the program does, too: the bytes are copied once, and the copy handed over.
      const transfer: ArrayBuffer[] = [];
      const copied = inputs.map((input) => {
        if (input.kind !== 'image') return input;
        const bytes = Uint8Array.from(input.bytes);
        transfer.push(bytes.buffer);
        return { ...input, bytes };
      });
      worker.postMessage(copied, transfer);
      return replied;
    },
    close: async () => {
      worker.postMessage('close');
      await ended;
    },
  };
}
