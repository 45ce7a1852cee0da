/** What an insert costs at several sizes of one density, and what one alone does: through the log, with a durable commit of its own. */
import { writeFile } from 'node:fs/promises';
import type { BenchCase } from './bench-case.ts';
import { growthPage, growthTable, type GrowthPoint } from './growth-plot.ts';
import type { Spread } from './statistics.ts';
import { runAgainstKernel, scaledCount } from './to-bare-kernel.ts';

const sizes = [10_000, 20_000, 50_000, 100_000];
const sizesOfSingles = [10_000, 100_000];
const singleInserts = 500;
const dimensions = 512;

export const growth: readonly BenchCase[] = [
  {
    name: 'growth',
    about: {
      growth: `times (no ratios) of an insert in batches of 64, and of a query of the bare kernel beside it, with n, ${dimensions} dimensions, clustered: medians of turns`,
      singleInserts: 'times (no ratios) in milliseconds of inserts one by one: from where the record can be read to where its label and the position are durable',
    },
    run: async (context) => {
      const points: GrowthPoint[] = [];
      const singles: Record<string, Spread | undefined> = {};
      // Small scales make some sizes one.
      const chosen = new Map(sizes.map((count) => [scaledCount(context, count), count]));
      for (const count of chosen.values()) {
        const wantsSingles = sizesOfSingles.includes(count);
        const name = `growth.${count}`;
        const { result, singles: spread, figures } = await runAgainstKernel(context, { name, count, dimensions, data: 'clustered', ...(wantsSingles ? { singleInserts } : {}) });
        const held = Number(figures['points']);
        points.push({ points: held, meanDegree: Number(figures['meanDegree']), engineMs: 1000 / result.right.itemsPerSecondMedian, kernelMs: 1000 / result.left.itemsPerSecondMedian });
        if (wantsSingles) singles[`at ${held}`] = spread;
      }
      context.report(growthTable(points));
      const { plot } = context.options;
      if (plot !== undefined) await writeFile(plot, growthPage(points, `Cost of an insert with n, ${dimensions} dimensions, clustered`));
      return { ratios: {}, sides: [], figures: { growth: points, ...(plot === undefined ? {} : { growthPlot: plot }), singleInserts: singles } };
    },
  },
];
