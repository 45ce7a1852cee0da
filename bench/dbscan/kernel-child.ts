/** The entry of the bare kernel's process, which holds the points. */
import { openBareKernel, type BareKernel, type KernelChoice, type KernelTrial } from './bare-kernel.ts';
import { serveCommands } from './child-process.ts';
import { openPoints } from './points.ts';
import { cpuSecondsSince } from './statistics.ts';

export type KernelCommands = {
  readonly open: { readonly argument: { readonly path: string; readonly count: number; readonly dimensions: number; readonly threads: number }; readonly result: undefined };
  readonly trials: { readonly argument: { readonly rows: number; readonly eps: number; readonly batches: readonly number[] }; readonly result: readonly KernelTrial[] };
  readonly search: {
    readonly argument: { readonly from: number; readonly to: number; readonly eps: number; readonly choice: KernelChoice };
    readonly result: { readonly items: number; readonly seconds: number; readonly cpuSeconds: number; readonly hits: number };
  };
  readonly neighbours: {
    readonly argument: { readonly queries: readonly number[]; readonly rows: number; readonly eps: number };
    readonly result: readonly (readonly number[])[];
  };
  /** Of each query the cosine distance to its `rank`-th neighbour among the first `rows`. */
  readonly rankDistances: { readonly argument: { readonly queries: readonly number[]; readonly rows: number; readonly rank: number }; readonly result: readonly number[] };
};

type Held = { readonly kernel: BareKernel; readonly points: Float32Array; readonly dimensions: number };
let opened: Held | undefined;
const held = (): Held => {
  if (opened === undefined) throw new Error('the kernel is not open');
  return opened;
};

serveCommands<KernelCommands>(
  {
    open: async ({ path, count, dimensions, threads }) => {
      const file = await openPoints(path, dimensions);
      const points = await readAll(file, count, dimensions);
      await file.close();
      opened = { kernel: await openBareKernel(points, dimensions, threads), points, dimensions };
      return undefined;
    },
    trials: ({ rows, eps, batches }) => held().kernel.trials(rows, eps, batches),
    search: async ({ from, to, eps, choice }) => {
      const cpuAtStart = process.cpuUsage();
      const startedMs = performance.now();
      const hits = await held().kernel.search(from, to, eps, choice);
      return { items: to - from, seconds: (performance.now() - startedMs) / 1000, cpuSeconds: cpuSecondsSince(cpuAtStart), hits };
    },
    neighbours: ({ queries, rows, eps }) => held().kernel.neighbours(queries, rows, eps),
    rankDistances: ({ queries, rows, rank }) => Promise.resolve(queries.map((query) => rankDistance(held(), query, rows, rank))),
  },
  () => Promise.resolve(),
);

async function readAll(file: Awaited<ReturnType<typeof openPoints>>, count: number, dimensions: number): Promise<Float32Array> {
  const points = new Float32Array(count * dimensions);
  const rowsPerRead = 16_384;
  for (let from = 0; from < count; from += rowsPerRead) points.set(await file.rows(from, Math.min(from + rowsPerRead, count)), from * dimensions);
  return points;
}

function rankDistance({ points, dimensions }: Held, query: number, rows: number, rank: number): number {
  const distances = new Float64Array(rows);
  const own = points.subarray(query * dimensions, (query + 1) * dimensions);
  for (let row = 0; row < rows; row += 1) {
    let product = 0;
    const begin = row * dimensions;
    for (let axis = 0; axis < dimensions; axis += 1) product += (own[axis] ?? 0) * (points[begin + axis] ?? 0);
    distances[row] = 1 - product;
  }
  // The query is its own neighbour of rank 0.
  return distances.sort()[Math.min(rank, rows - 1)] ?? 0;
}
