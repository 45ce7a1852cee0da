/**
 * The engine over inserts after n, against the bare kernel that finds the same neighbours and nothing else. Their turns alternate, on the same points,
 * and after each pair of turns the engine's labels are held against the kernel's hits.
 */
import { join } from 'node:path';
import { interleavedPairs, type PairsResult, type Ratio, type Side } from '../interleaved-pairs.ts';
import {
  cpuRatioOf, densityFigures, densityOf, makePoints, minPoints, rateReport, scaled, spread, turnItems, withEngine, withKernel, type BenchCase, type CaseContext, type CaseOutcome, type Density, type EngineChild,
  type KernelChild, type Points,
} from './bench-case.ts';
import { fillLog } from './bench-log.ts';
import type { KernelChoice, KernelTrial } from './bare-kernel.ts';
import { contradiction } from './comparison.ts';
import type { Advanced } from './engine.ts';
import type { Distribution } from './points.ts';
import { spreadOf, type Spread } from './statistics.ts';

type Compared = {
  readonly name: string;
  readonly count: number;
  readonly dimensions: number;
  readonly data: Distribution;
  /** Of the kernel's points, where they are others. */
  readonly kernelDimensions?: number;
  /** Inserts one by one at the end. */
  readonly singleInserts?: number;
};

const batches = [64, 128, 256];
const warmUpItems = 512;
/** What float32 sums of products of unit vectors may be off by, and more. */
const roundingBand = 1e-5;
const checkedItems = 64;
const checkedHits = 200;

function compared(what: Compared, wanted: string): BenchCase {
  const kernel = what.kernelDimensions === undefined ? 'the bare kernel on the same points' : `the bare kernel on as many points of ${String(what.kernelDimensions)} dimensions`;
  return {
    name: `toBareKernel.${what.name}`,
    about: { [`toBareKernel.${what.name}`]: `the engine's time for an insert after ${String(what.count)} points, by the time of ${kernel} for a query; ${wanted}` },
    run: async (context): Promise<CaseOutcome> => {
      const { result, figures } = await runAgainstKernel(context, what);
      const sides = [result.left, result.right].map((side) => ({ ...side, name: `toBareKernel.${what.name}: ${side.name}` }));
      return { ratios: { [`toBareKernel.${what.name}`]: result.ratio }, sides, figures: { [`toBareKernel.${what.name}`]: figures } };
    },
  };
}

export const toBareKernel: readonly BenchCase[] = [
  compared({ name: 'hard512', count: 100_000, dimensions: 512, data: 'hard' }, 'at most 1.3 wanted'),
  compared({ name: 'clustered512', count: 100_000, dimensions: 512, data: 'clustered' }, 'at most 0.3 wanted'),
  compared({ name: 'clustered64', count: 1_000_000, dimensions: 64, data: 'clustered' }, 'at most 0.3 wanted'),
  compared({ name: 'clustered5', count: 1_000_000, dimensions: 5, data: 'clustered', kernelDimensions: 64 }, 'at most 0.05 wanted'),
];

export type AgainstKernel = {
  readonly ratio: Ratio;
  readonly result: PairsResult<number, number>;
  readonly singles: Spread | undefined;
  readonly figures: Readonly<Record<string, unknown>>;
};

type Scene = { readonly context: CaseContext; readonly what: Compared; readonly count: number; readonly points: Points };

export async function runAgainstKernel(context: CaseContext, what: Compared): Promise<AgainstKernel> {
  const count = scaledCount(context, what.count);
  const singles = what.singleInserts === undefined ? 0 : scaled(context, what.singleInserts, 32);
  const total = count + warmUp(context) + context.options.pairCount * turnItems(context) + singles;
  const points = await makePoints(context, { count: total, dimensions: what.dimensions, data: what.data });
  const scene = { context, what, count, points };
  return withKernel(context, points, async (kernel) => {
    const density = await densityOf(kernel, points, count);
    context.report(`${what.name}: ${count} points, eps ${density.parameters.eps}, mean degree ${density.meanDegree.toFixed(1)}`);
    if (what.kernelDimensions === undefined) return compareSides(scene, density, kernel, { kernel, density });
    const other = await makePoints(context, { count: total, dimensions: what.kernelDimensions, data: what.data });
    return withKernel(context, other, async (otherKernel) =>
      compareSides(scene, density, kernel, { kernel: otherKernel, density: await densityOf(otherKernel, other, count) }),
    );
  });
}

/** At least as many points as the largest batch of the kernel. */
export function scaledCount(context: CaseContext, fullCount: number): number {
  return scaled(context, fullCount, Math.max(...batches));
}

function warmUp(context: CaseContext): number {
  return scaled(context, warmUpItems);
}

type Bare = { readonly kernel: KernelChild; readonly density: Density };

async function compareSides(scene: Scene, density: Density, checker: KernelChild, bare: Bare): Promise<AgainstKernel> {
  const { context, what, count, points } = scene;
  const trials = await bare.kernel.call('trials', { rows: count, eps: bare.density.parameters.eps, batches });
  const [choice] = trials;
  if (choice === undefined) throw new RangeError('there are fewer points than a batch has');
  context.report(`${what.name}: the bare kernel is ${choice.form}, batches of ${choice.batch}, chunks of ${choice.chunk}: ${choice.msPerQuery.toFixed(3)} ms a query`);
  return withEngine(async (engine) => {
    const group = 'bench';
    const directory = join(context.directory, what.name);
    const parts = [{ insert: { from: 0, to: count } }, { insert: { from: count, to: points.count } }];
    const [loadedEnd = 0n] = await fillLog({ directory, points: points.path, dimensions: points.dimensions, parameters: density.parameters, parts, committedParts: 1, group });
    await engine.call('open', { directory, group, snapshots: false });
    const loaded = await engine.call('advance', { endSequence: loadedEnd });
    context.report(`${what.name}: ${count} points are in, after ${loaded.seconds.toFixed(1)} s`);
    const engineRows = rowsFrom(count);
    const advance = (items: number, singly: boolean) => engine.call('advance', { endSequence: loadedEnd + BigInt(engineRows.take(items).to - count), singly });
    const turns: Advanced[] = [];
    const result = await interleavedPairs({
      left: kernelSide(scene, bare, choice),
      right: engineSide(scene, engineRows, async (items) => {
        const advanced = await advance(items, false);
        turns.push(advanced);
        return advanced;
      }),
      pairCount: context.options.pairCount,
      turnSecondsMin: 0,
      difference: () => contradictionNow({ engine, checker, eps: density.parameters.eps, rows: engineRows.taken(), turn: turnItems(context) }),
      report: rateReport(context, what.name),
    });
    const left = points.count - engineRows.taken();
    const singles = left === 0 ? undefined : spreadOf((await advance(left, true)).latenciesMs);
    const sum = (of: (turn: Advanced) => number): number => turns.reduce((total, turn) => total + of(turn), 0);
    const measured = {
      cpuRatio: cpuRatioOf(result), loadSeconds: loaded.seconds, longestStallMs: Math.max(...turns.map(({ longestStallMs }) => longestStallMs)),
      recordsPerCommit: sum(({ items }) => items) / sum(({ commits }) => commits),
    };
    return { ratio: result.ratio, result, singles, figures: figuresOf(scene, density, bare, trials, measured) };
  });
}

function figuresOf({ count, points }: Scene, density: Density, { density: bareDensity }: Bare, trials: readonly KernelTrial[], measured: object) {
  return {
    points: count,
    ...densityFigures(points, density),
    bareKernel: { ...trials[0], meanDegree: bareDensity.meanDegree, fastestOfEachForm: [...new Map(trials.toReversed().map((trial) => [trial.form, trial])).values()] },
    ...measured,
  };
}

type Rows = { readonly take: (items: number) => { readonly from: number; readonly to: number }; readonly taken: () => number };

function rowsFrom(first: number): Rows {
  let next = first;
  return {
    take: (items) => {
      const from = next;
      next += items;
      return { from, to: next };
    },
    taken: () => next,
  };
}

function kernelSide({ context, count }: Scene, { kernel, density }: Bare, choice: KernelChoice): Side<number> {
  const rows = rowsFrom(count);
  const search = (items: number) => kernel.call('search', { ...rows.take(items), eps: density.parameters.eps, choice });
  return {
    name: 'bare kernel',
    warmUp: async () => {
      await search(warmUp(context));
    },
    pass: async () => {
      const { hits, ...measured } = await search(turnItems(context));
      return { ...measured, output: hits };
    },
  };
}

type Measured = { readonly items: number; readonly seconds: number; readonly cpuSeconds: number };

function engineSide({ context }: Scene, rows: Rows, advance: (items: number) => Promise<Measured>): Side<number> {
  return {
    name: 'engine',
    warmUp: async () => {
      await advance(warmUp(context));
    },
    pass: async () => {
      const { items, seconds, cpuSeconds } = await advance(turnItems(context));
      return { items, seconds, cpuSeconds, output: rows.taken() };
    },
  };
}

type Check = { readonly engine: EngineChild; readonly checker: KernelChild; readonly eps: number; readonly rows: number; readonly turn: number };

async function contradictionNow({ engine, checker, eps, rows, turn }: Check): Promise<string | undefined> {
  const queries = spread(turn, checkedItems).map((offset) => rows - turn + offset);
  const certain = await checker.call('neighbours', { queries, rows, eps: eps - roundingBand });
  const possible = await checker.call('neighbours', { queries, rows, eps: eps + roundingBand });
  const hits = queries.map((point, index) => ({ point, certain: certain[index] ?? [], possibleCount: possible[index]?.length ?? 0 }));
  const asked = [...new Set(hits.flatMap(({ point, certain: near }) => [point, ...near.slice(0, checkedHits)]))];
  const places = new Map(asked.map((point, place) => [point, place]));
  // Hits beyond those asked for have no place, and so are no cores.
  return contradiction(hits, await engine.call('labels', asked), (point) => places.get(point) ?? -1, minPoints);
}
