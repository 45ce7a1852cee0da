/**
 * What the runtime of models costs: items that are asked for one by one, as EXTRACT does it, through queues, dynamic batches, priorities and workers, against
 * a bare loop around the same decoding, preprocessing, model and postprocessing on in-memory bytes. The loop has the better of two shapes: one thread
 * with two of onnxruntime, or two with one each; it has its texts sorted by length, the server as they come. Both sides compute the same numbers.
 */
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import type { ModelInput, ModelOutput } from '../src/models/model-port.ts';
import { startModelServer, type ModelServer } from '../src/models/model-server.ts';
import { lengthEstimator } from '../src/models/preprocessing/preprocessors.ts';
import type { GraphArtefacts } from '../src/models/repository.ts';
import { systemClock } from '../src/pipeline/system-clock.ts';
import { loadGraph } from '../test/models/graph-models.ts';
import type { Bench } from './bench.ts';
import { openBareLoop, type BareLoop } from './inference/bare-loop.ts';
import { quantile, sampleStalls } from './inference/stall-samples.ts';
import { imageInputs, textInputs } from './inference/work.ts';
import { interleavedPairs, type PairsResult, type Side } from './interleaved-pairs.ts';
import { withTransformerModel } from './transformer-model.ts';

const repository = resolve(import.meta.dirname, '..');
/** As many as EXTRACT has in work (extract.inFlightRecordsMax). */
const inWorkItems = 384;

type Outputs = readonly ArrayLike<number>[];

/** name: of the ratio. */
type Case = { readonly name: string; readonly artefacts: GraphArtefacts; readonly inputs: readonly ModelInput[] };

type Measured = { readonly result: PairsResult<Outputs, Outputs>; readonly figures: Readonly<Record<string, unknown>> };

export const inference: Bench = async (report, { scale, pairCount }) => {
  const [images, texts] = await Promise.all(['drawing-classifier', 'static-text-encoder'].map((name) => loadGraph(join(repository, 'models', name))));
  const count = (full: number): number => Math.max(32, Math.round(full * scale));
  const measured = new Map<string, Measured>();
  const measureCase = async (of: Case): Promise<void> => void measured.set(of.name, await measure(of, { report, pairCount, turnSecondsMin: 10 * scale }));
  await measureCase({ name: 'images', artefacts: images!, inputs: await imageInputs(count(1_000)) });
  await measureCase({ name: 'texts', artefacts: texts!, inputs: textInputs(count(8_000), 300) });
  const absent = await withTransformerModel((artefacts) => measureCase({ name: 'textsOfTransformer', artefacts, inputs: textInputs(count(400), 100) })).then(
    () => undefined,
    (error: unknown) => `NOT MEASURED: a transformer for texts, because ${error instanceof Error ? error.message : String(error)}`,
  );
  if (absent !== undefined) report(absent);
  return {
    work: `items one by one through the model server, ${inWorkItems} in work, against a bare loop of the same steps; ${availableParallelism()} cores`,
    ratios: Object.fromEntries([...measured].map(([name, { result }]) => [`taskToBareLoop.${name}`, result.ratio])),
    sides: [...measured.values()].flatMap(({ result }) => [result.left, result.right]),
    figures: {
      ...Object.fromEntries([...measured].map(([name, { figures }]) => [name, figures])),
      about: {
        mainLoopStallMs: 'no ratio: CPU time of the main thread between two looks, five milliseconds apart, at full load; the largest, and the 99th of 100',
        texts: 'of mixed length, one by one, for the server; sorted by length, in full batches, for the bare loop',
      },
      ...(absent === undefined ? {} : { absent }),
    },
  };
};

type MeasureOptions = { readonly report: (message: string) => void; readonly pairCount: number; readonly turnSecondsMin: number };

async function measure({ name, artefacts, inputs }: Case, { report, pairCount, turnSecondsMin }: MeasureOptions): Promise<Measured> {
  const server = await startModelServer({ models: [{ name: 'model', directory: artefacts.directory }], clock: systemClock, workerCount: 2 });
  const loops = [await openBareLoop(artefacts, 2, 1), await openBareLoop(artefacts, 1, 2)];
  try {
    const batchItems = artefacts.manifest.executedShapes.batchSizes.at(-1) ?? 1;
    const bare = await fastest(loops, artefacts, inputs, batchItems, report);
    const stalls: number[] = [];
    const left: Side<Outputs> = {
      name: `${name}: model server`,
      pass: async () => {
        const sampling = sampleStalls();
        const output = await served(server, inputs);
        stalls.push(...sampling.stop());
        return { items: inputs.length, output };
      },
    };
    const right: Side<Outputs> = { name: `${name}: bare loop, ${bare.name}`, pass: async () => ({ items: inputs.length, output: await inGroups(bare, artefacts, inputs, batchItems) }) };
    const result = await interleavedPairs({
      left, right, pairCount, turnSecondsMin, turnItemsMin: Math.max(2_000, inputs.length), difference,
      report: (side, { itemsPerSecond, cpuSeconds }) => report(`${side}: ${itemsPerSecond.toFixed(0)} items/s, ${cpuSeconds.toFixed(1)} s of CPU`),
    });
    const mainLoopStallMs = { max: Math.max(...stalls), p99: quantile(stalls, 0.99), looks: stalls.length };
    report(`${name}: ${JSON.stringify({ ratio: result.ratio, mainLoopStallMs })}`);
    return { result, figures: { items: inputs.length, bareLoop: bare.name, mainLoopStallMs } };
  } finally {
    await Promise.all([server.close(), ...loops.map((loop) => loop.close())]);
  }
}

/** By one pass each, after one that does not count. */
async function fastest(loops: readonly BareLoop[], artefacts: GraphArtefacts, inputs: readonly ModelInput[], batchItems: number, report: (message: string) => void): Promise<BareLoop> {
  const timed: { readonly loop: BareLoop; readonly seconds: number }[] = [];
  for (const loop of loops) {
    await loop.run(inputs.slice(0, Math.ceil(inputs.length / 4)), batchItems);
    const startedMs = performance.now();
    await inGroups(loop, artefacts, inputs, batchItems);
    const seconds = (performance.now() - startedMs) / 1000;
    report(`bare loop ${loop.name}: ${(inputs.length / seconds).toFixed(0)} items/s`);
    timed.push({ loop, seconds });
  }
  return timed.reduce((best, each) => (each.seconds < best.seconds ? each : best)).loop;
}

async function served(server: ModelServer, inputs: readonly ModelInput[]): Promise<Outputs> {
  const outputs: ArrayLike<number>[] = [];
  const { signal } = new AbortController();
  let next = 0;
  const loop = async (): Promise<void> => {
    while (next < inputs.length) {
      const index = next;
      next += 1;
      outputs[index] = numbersIn(await server.run('model', inputs[index]!, { signal }));
    }
  };
  await Promise.all(Array.from({ length: inWorkItems }, loop));
  return outputs;
}

function numbersIn(output: ModelOutput): ArrayLike<number> {
  if (output.kind === 'vector') return output.vector;
  if (output.kind === 'scores') return output.scores;
  throw new Error(`a ${output.kind} is no row of numbers`);
}

/** Whoever writes a loop for texts puts those of one length together, or executes padding. The outputs are in the order of the inputs. */
async function inGroups(loop: BareLoop, { manifest }: GraphArtefacts, inputs: readonly ModelInput[], batchItems: number): Promise<Outputs> {
  const lengthOf = lengthEstimator(manifest);
  const order = [...inputs.keys()].sort((left, right) => lengthOf(inputs[left]!) - lengthOf(inputs[right]!));
  const outputs: ArrayLike<number>[] = [];
  for (const [place, output] of (await loop.run(order.map((index) => inputs[index]!), batchItems)).entries()) outputs[order[place]!] = output;
  return outputs;
}

/** One thread and two of onnxruntime add up in another order. */
const tolerance = 1e-5;

function difference(left: Outputs, right: Outputs): string | undefined {
  if (left.length !== right.length) return `${left.length} results against ${right.length}`;
  const index = left.findIndex((numbers, item) => numbers.length !== right[item]?.length || Array.from(numbers).some((value, at) => !(Math.abs(value - (right[item]?.[at] ?? Number.NaN)) <= tolerance)));
  return index < 0 ? undefined : `the numbers of item ${index}`;
}
