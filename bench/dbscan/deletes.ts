/**
 * What a delete costs, beside the inserts it takes turns with: of points at random, of the oldest, and of every point that holds a chain of dense balls
 * together, which splits a cluster each time.
 */
import { join } from 'node:path';
import { seededRandom, shuffled } from '../../src/core/seeded-random.ts';
import { defaultRunnerLimits } from '../../src/pipeline/limits.ts';
import { interleavedPairs, type PairsResult, type Side } from '../interleaved-pairs.ts';
import {
  densityFigures, densityOf, makePoints, minPoints, rateReport, scaled, turnItems, withEngine, withKernel, type BenchCase, type CaseContext, type CaseOutcome, type EngineChild,
} from './bench-case.ts';
import { fillLog, type LogPart } from './bench-log.ts';
import type { Advanced } from './engine.ts';
import { leavingPoints, type LeavingOrder } from './leaving-points.ts';
import { writeChain, type Distribution } from './points.ts';
import { spreadOf } from './statistics.ts';

const fullCount = 100_000;
const dimensions = 512;
const chainDimensions = 64;
const chainBall = 101;

export const deletes: readonly BenchCase[] = [...(['hard', 'clustered'] as const).map(turnsOf), bridgesCase()];

function turnsOf(data: Distribution): BenchCase {
  const name = `deletes.${data}512`;
  return {
    name,
    about: {
      [`${name}.random`]: `the time of a delete of a random point, by that of an insert, ${fullCount} points, in batches of 64 with their commits; at most 0.2 wanted`,
      [`${name}.oldest`]: 'the same, the oldest point first; at most 0.2 wanted',
      [name]: 'times (no ratios) of single folds of deletes, without commits, in milliseconds by the clock (wall) and of the main thread (cpu); the longest stall is processor time of the main thread in one turn of its loop',
    },
    run: async (context) => {
      const plan = planTurns(context);
      const points = await makePoints(context, { count: plan.pointCount, dimensions, data });
      const density = await withKernel(context, points, (kernel) => densityOf(kernel, points, plan.count));
      const directory = join(context.directory, 'log');
      const ends = await fillLog({ directory, points: points.path, dimensions, parameters: density.parameters, parts: plan.parts, committedParts: 1, group: 'bench' });
      return withEngine(async (engine) => {
        const next = partsOf(engine, ends);
        await engine.call('open', { directory, group: 'bench', snapshots: false });
        const loaded = await next();
        context.report(`${name}: ${plan.count} points are in, after ${loaded.seconds.toFixed(1)} s`);
        const outcomes: CaseOutcome[] = [];
        for (const order of orders) outcomes.push(await compareTurns(context, `${name}.${order}`, next));
        const figures = {
          [name]: {
            points: plan.count, ...densityFigures(points, density),
            ...Object.fromEntries(outcomes.flatMap((outcome) => Object.entries(outcome.figures))),
          },
        };
        return { ratios: Object.assign({}, ...outcomes.map(({ ratios }) => ratios)) as CaseOutcome['ratios'], sides: outcomes.flatMap(({ sides }) => sides), figures };
      });
    },
  };
}

const orders: readonly LeavingOrder[] = ['random', 'oldest'];

type NextPart = (timesFolds?: boolean) => Promise<Advanced>;

/** Each call goes on to the end of the next part of the log. */
function partsOf(engine: EngineChild, ends: readonly bigint[]): NextPart {
  let part = 0;
  return (timesFolds = false) => {
    const endSequence = ends[part] ?? 0n;
    part += 1;
    return engine.call('advance', { endSequence, timesFolds });
  };
}

type TurnsPlan = { readonly count: number; readonly pointCount: number; readonly parts: readonly LogPart[] };

/**
 * As the sides take their turns: for each order inserts and deletes to warm up, then the pairs, every other one the other way round, then inserts, and
 * as many deletes, each of which is timed.
 */
function planTurns(context: CaseContext): TurnsPlan {
  const count = scaled(context, fullCount, 512);
  const turn = turnItems(context);
  const leaving = leavingPoints(count, seededRandom(1));
  const parts: LogPart[] = [{ insert: { from: 0, to: count } }];
  let next = count;
  const insert = (): void => {
    parts.push({ insert: { from: next, to: next + turn } });
    leaving.add(next, next + turn);
    next += turn;
  };
  for (const order of orders) {
    const remove = (): void => void parts.push({ remove: leaving.take(order, turn) });
    for (let pair = -1; pair < context.options.pairCount; pair += 1) {
      for (const side of pair % 2 === 0 || pair === -1 ? [insert, remove] : [remove, insert]) side();
    }
    insert();
    remove();
  }
  return { count, pointCount: next, parts };
}

async function compareTurns(context: CaseContext, name: string, next: NextPart): Promise<CaseOutcome> {
  const stallsMs = { insert: [0], delete: [0] };
  const side = (kind: keyof typeof stallsMs): Side<undefined> => ({
    name: kind,
    pass: async () => {
      const { items, seconds, cpuSeconds, longestStallMs } = await next();
      stallsMs[kind].push(longestStallMs);
      return { items, seconds, cpuSeconds, output: undefined };
    },
  });
  const result = await interleavedPairs({ left: side('insert'), right: side('delete'), pairCount: context.options.pairCount, turnSecondsMin: 0, report: rateReport(context, name) });
  await next();
  const timed = await next(true);
  return outcomeOf(name, result, { foldMs: spreadsOf(timed), longestStallMs: Math.max(...stallsMs.delete, timed.longestStallMs), longestStallOfInsertsMs: Math.max(...stallsMs.insert) });
}

function outcomeOf(name: string, { ratio, left, right }: PairsResult<undefined, undefined>, figures: object): CaseOutcome {
  return { ratios: { [name]: ratio }, sides: [left, right].map((side) => ({ ...side, name: `${name}: ${side.name}` })), figures: { [name]: figures } };
}

/** By the clock of a machine that others may use, and by the main thread's own. */
function spreadsOf({ folds }: Advanced) {
  return { wall: spreadOf(folds.wallMs), cpu: spreadOf(folds.cpuMs) };
}

function bridgesCase(): BenchCase {
  const name = 'deletes.bridges';
  return {
    name,
    about: {
      [name]: `times (no ratios) in milliseconds of folds, without commits, of the deletes of every bridge of a chain of dense balls, in random order: each splits a cluster of up to ${fullCount} points, whose smaller part is told its new cluster; beside them inserts into balls, and deletes with their commits`,
    },
    run: async (context) => {
      const balls = Math.max(4, Math.round((fullCount * context.options.scale) / chainBall));
      const count = balls * chainBall - 1;
      const path = join(context.directory, 'chain.f32');
      const turn = turnItems(context);
      const { eps, bridges } = await writeChain(path, count + turn, chainDimensions);
      const removed = shuffled(bridges.filter((bridge) => bridge < count - chainBall + 1), seededRandom(2));
      const parts: LogPart[] = [{ insert: { from: 0, to: count } }, { insert: { from: count, to: count + turn } }, { remove: removed }];
      const directory = join(context.directory, 'log');
      const parameters = { metric: 'euclidean', eps, minPoints } as const;
      const ends = await fillLog({ directory, points: path, dimensions: chainDimensions, parameters, parts, committedParts: 1, group: 'bench' });
      return withEngine(async (engine) => {
        const next = partsOf(engine, ends);
        await engine.call('open', { directory, group: 'bench', snapshots: false, deliveryRecordsMax: defaultRunnerLimits.deliveryRecordsMax });
        await next();
        const before = clustersOf(await engine.call('labels', firstOfBalls(balls)));
        const inserted = await next();
        const deleted = await next(true);
        const after = clustersOf(await engine.call('labels', firstOfBalls(balls)));
        if (before !== 1 || after !== balls) throw new Error(`a chain of ${balls} balls was ${before} clusters, and ${after} when its bridges were gone`);
        const figures = {
          points: count, dimensions: chainDimensions, data: 'chain', eps, minPoints, meanDegree: chainBall - 2 + (2 * (balls - 1) * chainBall) / count, bridges: removed.length,
          foldMs: spreadsOf(deleted), longestStallMs: deleted.longestStallMs,
          msPerDeleteWithCommits: (1000 * deleted.seconds) / deleted.items, msPerInsertWithCommits: (1000 * inserted.seconds) / inserted.items, cpuSeconds: { inserts: inserted.cpuSeconds, deletes: deleted.cpuSeconds },
        };
        context.report(`${name}: ${JSON.stringify(figures)}`);
        return { ratios: {}, sides: [], figures: { [name]: figures } };
      });
    },
  };
}

function firstOfBalls(balls: number): readonly number[] {
  return Array.from({ length: balls }, (_, ball) => ball * chainBall);
}

function clustersOf({ clusters }: { readonly clusters: Int32Array }): number {
  return new Set(clusters).size;
}
