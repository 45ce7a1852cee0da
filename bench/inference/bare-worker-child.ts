/**
 * A thread of the bare loop: onnxruntime, and of the program only what is done before and after it for one item. No queue, no outcome of its own for each
 * item, nothing that is tried again.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { packBatch, planBatches } from '../../src/models/executed-batch.ts';
import type { ModelInput } from '../../src/models/model-port.ts';
import { postprocess, rawWidth } from '../../src/models/postprocessing.ts';
import { createPreprocessor } from '../../src/models/preprocessing/preprocessors.ts';
import type { GraphArtefacts } from '../../src/models/repository.ts';

export type BareSetup = { readonly artefacts: GraphArtefacts; readonly threads: number };

/** All of one width, one after the other. */
export type BareReply = Float32Array<ArrayBuffer>;

if (parentPort !== null) {
  const port = parentPort;
  const { artefacts, threads } = workerData as BareSetup;
  const { manifest, graph } = artefacts;
  const { postprocessing: after } = manifest;
  if (after.kind === 'boxes') throw new Error('the bare loop reads no boxes');
  const preprocessor = createPreprocessor(artefacts);
  const session = await InferenceSession.create(Uint8Array.from(graph.bytes), {
    executionProviders: ['cpu'], intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: 'sequential', logSeverityLevel: 4,
    ...(manifest.dequantise ? { extra: { session: { disable_quant_qdq: '1' } } } : {}),
    externalData: graph.externalData.map(({ path, bytes }) => ({ path, data: Uint8Array.from(bytes) })),
  });
  const execute = async (inputs: readonly ModelInput[], prepared: Awaited<ReturnType<typeof preprocessor.prepare>>[]): Promise<void> => {
    const outputs: Float32Array[] = [];
    for (const batch of planBatches(prepared, manifest.executedShapes.batchSizes)) {
      const items = batch.items.map((index) => prepared[index]!);
      const packed = packBatch(items, batch, preprocessor.ports);
      const feeds = Object.fromEntries(Object.entries(packed).map(([name, { type, data, dims }]) => [name, new Tensor(type, data as never, dims)]));
      const { [after.output]: result } = await session.run(feeds, [after.output]);
      const width = rawWidth(after, manifest.labels.length, batch.length);
      const data = result!.data as Float32Array;
      for (const [row, index] of batch.items.entries()) outputs[index] = postprocess(data.subarray(row * width, (row + 1) * width), items[row]!.tokens, after);
    }
    const width = outputs[0]?.length ?? 0;
    const all: BareReply = new Float32Array(inputs.length * width);
    for (const [index, output] of outputs.entries()) all.set(output, index * width);
    port.postMessage(all, [all.buffer]);
  };
  // The next batch is prepared while this one is executed, as in the program.
  let last: Promise<void> = Promise.resolve();
  port.on('message', (inputs: readonly ModelInput[] | 'close') => {
    if (inputs === 'close') {
      void last.then(async () => {
        await session.release();
        port.close();
      });
      return;
    }
    const prepared = Promise.all(inputs.map(async (input) => preprocessor.prepare(input)));
    last = last.then(async () => execute(inputs, await prepared));
  });
  port.postMessage(new Float32Array(0));
}
