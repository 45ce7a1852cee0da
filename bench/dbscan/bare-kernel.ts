/**
 * What a range search costs at least when nothing is pruned: the products of a batch of queries with every row by ONNX Runtime, which returns the
 * pairs above a threshold. Unit vectors, so that a product is a cosine. The best of float32 and of 8 bits, of batches and of chunks of rows is found
 * by trying; those of 8 bits give candidates, since their threshold is lowered by what rounding may have taken.
 */
import '../../src/models/onnxruntime-telemetry.ts';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { floatGraph, integerGraph, scoresGraph } from './kernel-graphs.ts';

/** In `scanned` the scores come back and a loop compares them; in the others the graph does. */
const forms = ['float32', 'scanned', 'int8', 'uint8'] as const;
type Form = (typeof forms)[number];
export type KernelChoice = { readonly form: Form; readonly batch: number; readonly chunk: number };
export type KernelTrial = KernelChoice & { readonly msPerQuery: number };

export type BareKernel = {
  /** Every combination's best of some trials, the fastest first. */
  readonly trials: (rows: number, eps: number, batches: readonly number[]) => Promise<readonly KernelTrial[]>;
  /** Rows from..to as queries, batch by batch, each against all rows before the end of its batch; the number of pairs found. */
  readonly search: (from: number, to: number, eps: number, choice: KernelChoice) => Promise<number>;
  /** For each query the rows (of the first `rows`, itself among them) that are near it, by float32. */
  readonly neighbours: (queries: readonly number[], rows: number, eps: number) => Promise<readonly (readonly number[])[]>;
};

/** Of rows: scores of the smallest stay in a core's own cache, which counts where there are few dimensions. */
const chunks = [1_024, 4_096, 16_384];
const trialRounds = 6;
const hopeless = 2;
const quantisedMax = 127;

/** The pairs of queries and rows begin..end, as the graph gives them: all firsts, then all seconds. */
type Run = (queries: readonly number[], begin: number, end: number, eps: number) => Promise<ArrayLike<bigint | number>>;

export async function openBareKernel(points: Float32Array, dimensions: number, threads: number): Promise<BareKernel> {
  const quantised = quantise(points, dimensions);
  const open = async (graph: Uint8Array): Promise<InferenceSession> =>
    InferenceSession.create(graph, { intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all', logSeverityLevel: 3 });
  const kernels: Readonly<Record<Form, Run>> = {
    float32: floatRun(await open(floatGraph()), points, dimensions),
    scanned: scanningRun(await open(scoresGraph()), points, dimensions),
    int8: integerRun(await open(integerGraph('int8')), quantised, dimensions, 'int8'),
    uint8: integerRun(await open(integerGraph('uint8')), quantised, dimensions, 'uint8'),
  };
  const search = async (from: number, to: number, eps: number, { form, batch, chunk }: KernelChoice): Promise<number> => {
    let hits = 0;
    for (let first = from; first < to; first += batch) {
      const end = Math.min(first + batch, to);
      const queries = Array.from({ length: end - first }, (_, offset) => first + offset);
      for (let begin = 0; begin < end; begin += chunk) hits += (await kernels[form](queries, begin, Math.min(begin + chunk, end), eps)).length / 2;
    }
    return hits;
  };
  return {
    search,
    trials: async (rows, eps, batches) => {
      const choices = forms.flatMap((form) => batches.filter((batch) => batch <= rows).flatMap((batch) => chunks.map((chunk) => ({ form, batch, chunk }))));
      let trials: readonly KernelTrial[] = choices.map((choice) => ({ ...choice, msPerQuery: Infinity }));
      for (let round = 0; round <= trialRounds; round += 1) {
        // The first warms up, the second says which may win: rounds rather than trials in a row, because other work on the machine comes and goes.
        const best = round < 2 ? Infinity : Math.min(...trials.map(({ msPerQuery }) => msPerQuery));
        const next: KernelTrial[] = [];
        for (const trial of trials) {
          if (trial.msPerQuery > best * hopeless) {
            next.push(trial);
            continue;
          }
          const startedMs = performance.now();
          await search(rows - trial.batch, rows, eps, trial);
          const msPerQuery = (performance.now() - startedMs) / trial.batch;
          next.push({ ...trial, msPerQuery: round === 0 ? Infinity : Math.min(trial.msPerQuery, msPerQuery) });
        }
        trials = next;
      }
      return trials.toSorted((one, other) => one.msPerQuery - other.msPerQuery);
    },
    neighbours: async (queries, rows, eps) => {
      const found: number[][] = queries.map(() => []);
      const [batch, chunk] = [64, 4_096];
      for (let first = 0; first < queries.length; first += batch) {
        const asked = queries.slice(first, first + batch);
        for (let begin = 0; begin < rows; begin += chunk) {
          const hits = await kernels.float32(asked, begin, Math.min(begin + chunk, rows), eps);
          const count = hits.length / 2;
          for (let hit = 0; hit < count; hit += 1) found[first + Number(hits[hit])]?.push(begin + Number(hits[count + hit]));
        }
      }
      return found;
    },
  };
}

function floatTensors(points: Float32Array, dimensions: number, queries: readonly number[], begin: number, end: number) {
  const asked = new Float32Array(queries.length * dimensions);
  for (const [place, query] of queries.entries()) asked.set(points.subarray(query * dimensions, (query + 1) * dimensions), place * dimensions);
  return {
    queries: new Tensor('float32', asked, [queries.length, dimensions]),
    rows: new Tensor('float32', points.subarray(begin * dimensions, end * dimensions), [end - begin, dimensions]),
  };
}

function floatRun(session: InferenceSession, points: Float32Array, dimensions: number): Run {
  return async (queries, begin, end, eps) => {
    const thresholds = new Tensor('float32', new Float32Array(queries.length).fill(1 - eps), [queries.length, 1]);
    return hitsOf(session, { ...floatTensors(points, dimensions, queries, begin, end), thresholds });
  };
}

function scanningRun(session: InferenceSession, points: Float32Array, dimensions: number): Run {
  let memory = new Float32Array(0);
  return async (queries, begin, end, eps) => {
    const rows = end - begin;
    const size = queries.length * rows;
    if (memory.length < size) memory = new Float32Array(size);
    const scores = memory.subarray(0, size);
    await session.run(floatTensors(points, dimensions, queries, begin, end), { scores: new Tensor('float32', scores, [queries.length, rows]) });
    const [firsts, seconds]: [number[], number[]] = [[], []];
    const threshold = 1 - eps;
    for (let query = 0, place = 0; query < queries.length; query += 1) {
      for (let row = 0; row < rows; row += 1, place += 1) {
        if ((scores[place] as number) < threshold) continue;
        firsts.push(query);
        seconds.push(row);
      }
    }
    return firsts.concat(seconds);
  };
}

type Quantised = { readonly signed: Int8Array; readonly unsigned: Uint8Array; readonly scale: number; readonly error: number };

/** One scale for all; `error`: the largest norm of what rounding took from a vector. */
function quantise(points: Float32Array, dimensions: number): Quantised {
  let largest = 0;
  for (const value of points) largest = Math.max(largest, Math.abs(value));
  const scale = quantisedMax / largest;
  const signed = new Int8Array(points.length);
  const unsigned = new Uint8Array(points.length);
  let error = 0;
  let [sum, within] = [0, 0];
  for (let index = 0; index < points.length; index += 1) {
    const value = points[index] ?? 0;
    const rounded = Math.round(value * scale);
    signed[index] = rounded;
    unsigned[index] = rounded + 128;
    sum += (value - rounded / scale) ** 2;
    within += 1;
    if (within < dimensions) continue;
    error = Math.max(error, Math.sqrt(sum));
    [sum, within] = [0, 0];
  }
  return { signed, unsigned, scale, error };
}

function integerRun(session: InferenceSession, { signed, unsigned, scale, error }: Quantised, dimensions: number, form: 'int8' | 'uint8'): Run {
  return async (queries, begin, end, eps) => {
    const asked = new Int8Array(queries.length * dimensions);
    for (const [place, query] of queries.entries()) {
      for (let axis = 0; axis < dimensions; axis += 1) asked[axis * queries.length + place] = signed[query * dimensions + axis] ?? 0;
    }
    const threshold = Math.floor((1 - eps - 2 * error - error * error) * scale * scale);
    const [first, last] = [begin * dimensions, end * dimensions];
    const size = [end - begin, dimensions];
    return hitsOf(session, {
      queries: new Tensor('int8', asked, [dimensions, queries.length]),
      rows: form === 'int8' ? new Tensor('int8', signed.subarray(first, last), size) : new Tensor('uint8', unsigned.subarray(first, last), size),
      thresholds: new Tensor('int32', new Int32Array(queries.length).fill(threshold), [1, queries.length]),
    });
  };
}

async function hitsOf(session: InferenceSession, feeds: Readonly<Record<string, Tensor>>): Promise<BigInt64Array> {
  const { hits } = await session.run(feeds);
  if (!(hits?.data instanceof BigInt64Array)) throw new TypeError('the kernel gave no hits');
  return hits.data;
}
