/**
 * Points ingested one by one, against scikit-learn's one fit of all of them, and against incdbscan's inserts in batches of 64. Each pass of the
 * engine starts with nothing: another group on the same log, in another process.
 */
import { join } from 'node:path';
import { interleavedPairs, type PairsResult, type Side } from '../interleaved-pairs.ts';
import {
  cpuRatioOf, densityFigures, densityOf, makePoints, rateReport, scaled, withEngine, withKernel, type BenchCase, type CaseContext, type CaseOutcome, type Density, type Points,
} from './bench-case.ts';
import { fillLog } from './bench-log.ts';
import { comparePartitions } from './comparison.ts';
import { commitRecords, type Labels } from './engine.ts';
import type { PeerPass, Peers, PeerWork } from './peers.ts';

type Scene = { readonly context: CaseContext; readonly peers: Peers; readonly points: Points; readonly density: Density };

/** What rounding may make of pairs that are eps apart: float64 here, float32 there. */
const coresOfOneSideShareMax = 1e-3;

export const toPeers: readonly BenchCase[] = [
  {
    name: 'ratioToSklearn',
    about: { ratioToSklearn: "the engine's time for ingesting 50000 x 512 clustered points, labels live throughout, by the time of scikit-learn's one batch fit; at most 0.5 wanted" },
    run: (context) =>
      withScene(context, 'ratioToSklearn', 50_000, async (scene) => {
        const sklearn = peerSide('scikit-learn, one batch fit', scene, (work) => scene.peers.sklearn(work, context.threads));
        const result = await pairs('ratioToSklearn', scene, true, (engine) => ({ left: sklearn, right: engine }));
        return outcomeOf('ratioToSklearn', scene, result, result.outputs.right, result.outputs.left, true);
      }),
  },
  {
    name: 'ratioToIncdbscan',
    about: { ratioToIncdbscan: 'inserts per second of the engine, by those of incdbscan, over 20000 x 512 clustered points from the first to the last; at least 40 wanted' },
    run: (context) =>
      withScene(context, 'ratioToIncdbscan', 20_000, async (scene) => {
        const lastMs: number[] = [];
        const incdbscan = peerSide('incdbscan', scene, async (work) => {
          const pass = await scene.peers.incdbscan(work, commitRecords);
          lastMs.push(pass.lastMsPerInsert);
          return pass;
        });
        // A first pass that does not count would take minutes more, and there is nothing to warm up in it.
        const withoutWarmUp = { ...incdbscan, warmUp: () => Promise.resolve() };
        const result = await pairs('ratioToIncdbscan', scene, false, (engine) => ({ left: engine, right: withoutWarmUp }));
        const outcome = outcomeOf('ratioToIncdbscan', scene, result, result.outputs.left, result.outputs.right, false);
        return { ...outcome, figures: { ratioToIncdbscan: { ...(outcome.figures['ratioToIncdbscan'] as object), incdbscanMsPerInsertAtTheEnd: lastMs } } };
      }),
  },
];

async function withScene(context: CaseContext, name: string, fullCount: number, use: (scene: Scene) => Promise<CaseOutcome>): Promise<CaseOutcome> {
  const { peers } = context;
  if (typeof peers === 'string') {
    context.report(`${name}: NOT MEASURED: ${peers}`);
    return { ratios: {}, sides: [], figures: { [name]: `not measured: ${peers}` } };
  }
  const points = await makePoints(context, { count: scaled(context, fullCount, 512), dimensions: 512, data: 'clustered' });
  const density = await withKernel(context, points, (kernel) => densityOf(kernel, points, points.count));
  context.report(`${name}: ${points.count} points, eps ${density.parameters.eps}, mean degree ${density.meanDegree.toFixed(1)}`);
  return use({ context, peers, points, density });
}

type Ends = { readonly left: Side<Labels>; readonly right: Side<Labels> };

async function pairs(name: string, scene: Scene, theirCores: boolean, sidesOf: (engine: Side<Labels>) => Ends): Promise<PairsResult<Labels, Labels>> {
  const { context } = scene;
  const engine = await engineSide(scene);
  const ends = sidesOf(engine);
  return interleavedPairs({
    ...ends,
    pairCount: context.options.pairCount,
    turnSecondsMin: 0,
    difference: (left, right) => (ends.left === engine ? differenceOf(left, right, theirCores) : differenceOf(right, left, theirCores)),
    report: rateReport(context, name),
  });
}

function differenceOf(ours: Labels, theirs: Labels, theirCores: boolean): string | undefined {
  const { coresOfOneSide, clustersAcross } = comparePartitions(ours, theirs, theirCores);
  if (clustersAcross > 0) return `${clustersAcross} clusters have their cores in several of the other side's`;
  return coresOfOneSide > coresOfOneSideShareMax * ours.clusters.length ? `${coresOfOneSide} points are cores on one side alone` : undefined;
}

async function engineSide({ context, points, density }: Scene): Promise<Side<Labels>> {
  const directory = join(context.directory, 'log');
  const parts = [{ insert: { from: 0, to: points.count } }];
  const [endSequence = 0n] = await fillLog({ directory, points: points.path, dimensions: points.dimensions, parameters: density.parameters, parts, committedParts: 0, group: '' });
  const all = Array.from({ length: points.count }, (_, point) => point);
  let group = 0;
  return {
    name: 'engine',
    pass: () =>
      withEngine(async (engine) => {
        group += 1;
        await engine.call('open', { directory, group: `bench-${group}`, snapshots: false });
        // The definition, so that the process is up.
        await engine.call('advance', { endSequence: 1n });
        const { items, seconds, cpuSeconds } = await engine.call('advance', { endSequence });
        return { items, seconds, cpuSeconds, output: await engine.call('labels', all) };
      }),
  };
}

function peerSide(name: string, { context, points, density }: Scene, pass: (work: PeerWork) => Promise<PeerPass>): Side<Labels> {
  const { eps } = density.parameters;
  const work = { points: points.path, dimensions: points.dimensions, eps, minPoints: density.parameters.minPoints, labels: join(context.directory, `${name}.labels`) };
  return {
    name,
    pass: async () => {
      const { seconds, cpuSeconds, labels } = await pass(work);
      return { items: points.count, seconds, cpuSeconds, output: labels };
    },
  };
}

function outcomeOf(name: string, { points, density }: Scene, { ratio, left, right }: PairsResult<Labels, Labels>, ours: Labels, theirs: Labels, theirCores: boolean): CaseOutcome {
  return {
    ratios: { [name]: ratio },
    sides: [left, right].map((side) => ({ ...side, name: `${name}: ${side.name}` })),
    figures: { [name]: { points: points.count, ...densityFigures(points, density), cpuRatio: cpuRatioOf({ left, right }), corePartition: comparePartitions(ours, theirs, theirCores) } },
  };
}
