/** What a case of the clustering bench is given, what it gives back, and what most of them need: points, a kernel's process, the engine's process. */
import { join } from 'node:path';
import type { ClusteringParameters } from '../../src/clustering/clustering.ts';
import type { BenchOptions, BenchOutcome } from '../bench.ts';
import { median, type SideSummary } from '../interleaved-pairs.ts';
import { startChild, type Child } from './child-process.ts';
import type { EngineCommands } from './engine-child.ts';
import type { KernelCommands } from './kernel-child.ts';
import type { Peers } from './peers.ts';
import { writePoints, type PointsPlan } from './points.ts';

export type CaseContext = {
  readonly report: (message: string) => void;
  readonly options: BenchOptions;
  /** For the case alone, and gone after it. */
  readonly directory: string;
  /** A text where there are none: why. */
  readonly peers: Peers | string;
  /** Of the bare kernel and of scikit-learn: as many as the engine may have. */
  readonly threads: number;
};

export type CaseOutcome = Pick<BenchOutcome, 'ratios' | 'sides' | 'figures'>;

export type BenchCase = {
  readonly name: string;
  /** What its ratios and figures are, and what is wanted of them. */
  readonly about: Readonly<Record<string, string>>;
  readonly run: (context: CaseContext) => Promise<CaseOutcome>;
};

export const minPoints = 5;
const usualEps = 0.3;
const degreeWanted = 100;
const degreeSample = 2_000;
const rankSample = 32;
/** Of a turn at full scale: what DESIGN asks of one side of a pair. */
const turnItemsFull = 2_000;
const turnItemsMin = 64;

export function scaled(context: CaseContext, count: number, leastCount = turnItemsMin): number {
  return Math.max(leastCount, Math.round(count * context.options.scale));
}

export function turnItems(context: CaseContext): number {
  return scaled(context, turnItemsFull);
}

export type EngineChild = Child<EngineCommands>;
export type KernelChild = Child<KernelCommands>;

export async function withEngine<Result>(use: (engine: EngineChild) => Promise<Result>, environment?: Readonly<Record<string, string>>): Promise<Result> {
  return closing(startChild<EngineCommands>(join(import.meta.dirname, 'engine-child.ts'), environment), use);
}

export async function withKernel<Result>({ threads }: CaseContext, points: Points, use: (kernel: KernelChild) => Promise<Result>): Promise<Result> {
  return closing(startChild<KernelCommands>(join(import.meta.dirname, 'kernel-child.ts')), async (kernel) => {
    await kernel.call('open', { path: points.path, count: points.count, dimensions: points.dimensions, threads });
    return use(kernel);
  });
}

async function closing<Closed extends { readonly close: () => Promise<void> }, Result>(child: Closed, use: (child: Closed) => Promise<Result>): Promise<Result> {
  try {
    return await use(child);
  } finally {
    await child.close();
  }
}

export type Points = PointsPlan & { readonly path: string; readonly source: string };

export async function makePoints({ directory, peers, report }: CaseContext, plan: PointsPlan): Promise<Points> {
  const path = join(directory, `${plan.data}-${plan.count}x${plan.dimensions}.f32`);
  report(`making ${plan.count} x ${plan.dimensions} ${plan.data} points`);
  if (typeof peers === 'string') await writePoints(path, plan);
  else await peers.writePoints(path, plan);
  return { ...plan, path, source: typeof peers === 'string' ? 'own generator of the same distribution' : 'incdbscan_bench.py' };
}

export type Density = {
  readonly parameters: ClusteringParameters;
  readonly meanDegree: number;
  /** Standard error: the degree is that of a sample. */
  readonly meanDegreeError: number;
};

/** eps is 0.3, unless clustered points have neighbours by the thousand, or none, at that; the mean degree is that of a sample. */
export async function densityOf(kernel: KernelChild, { data }: PointsPlan, rows: number): Promise<Density> {
  const eps = data === 'hard' ? usualEps : await epsFor(kernel, rows);
  const degrees = (await kernel.call('neighbours', { queries: spread(rows, degreeSample), rows, eps })).map((found) => found.length - 1);
  const meanDegree = mean(degrees);
  const variance = mean(degrees.map((degree) => (degree - meanDegree) ** 2));
  return { parameters: { metric: 'cosine', eps, minPoints }, meanDegree, meanDegreeError: Math.sqrt(variance / degrees.length) };
}

async function epsFor(kernel: KernelChild, rows: number): Promise<number> {
  // Few points make few bumps, and small ones.
  const wanted = Math.min(degreeWanted, Math.floor(rows / 40));
  const distanceOfRank = async (rank: number): Promise<number> => median(await kernel.call('rankDistances', { queries: spread(rows, rankSample), rows, rank }));
  if ((await distanceOfRank(wanted / 2)) <= usualEps && usualEps <= (await distanceOfRank(wanted * 2))) return usualEps;
  return Number((await distanceOfRank(wanted)).toPrecision(3));
}

/** Evenly over 0..rows. */
export function spread(rows: number, count: number): readonly number[] {
  const taken = Math.min(rows, count);
  return Array.from({ length: taken }, (_, index) => Math.floor((index * rows) / taken));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function densityFigures(points: Points, { parameters, meanDegree, meanDegreeError }: Density) {
  return { dimensions: points.dimensions, data: points.data, source: points.source, eps: parameters.eps, minPoints: parameters.minPoints, meanDegree, meanDegreeError };
}

/** As the ratio of speeds, by processor time: what it would be on a machine without other work, if neither side waited for anything. */
export function cpuRatioOf({ left, right }: { readonly left: SideSummary; readonly right: SideSummary }): number {
  return right.cpuSecondsPerThousandItems / left.cpuSecondsPerThousandItems;
}

export function rateReport(context: CaseContext, name: string) {
  return (side: string, { itemsPerSecond, cpuSeconds, items }: { readonly itemsPerSecond: number; readonly cpuSeconds: number; readonly items: number }): void =>
    context.report(`${name}: ${side}: ${(1000 / itemsPerSecond).toFixed(3)} ms an item, ${((1000 * cpuSeconds) / items).toFixed(3)} ms of CPU`);
}
