/**
 * The clustering engine against what bounds it and against its peers: CLUSTER on the embedded log, with a durable commit per batch of 64, over points
 * of known density. Each case can be asked for by name (`--only toBareKernel.hard512,growth`), at a part of its size (`--scale 0.01`).
 *
 * The peers are Python's (LABELSTREAM_BENCH_PYTHON); the points are those of their program where it can be run.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { UnknownCase, type Bench, type BenchOptions } from './bench.ts';
import type { BenchCase, CaseContext, CaseOutcome } from './dbscan/bench-case.ts';
import { deletes } from './dbscan/deletes.ts';
import { growth } from './dbscan/growth.ts';
import { memory } from './dbscan/memory.ts';
import { openPeers } from './dbscan/peers.ts';
import { toBareKernel } from './dbscan/to-bare-kernel.ts';
import { toPeers } from './dbscan/to-peers.ts';

const cases: readonly BenchCase[] = [...toBareKernel, ...toPeers, ...deletes, ...memory, ...growth];

export const dbscan: Bench = async (report, options) => {
  const chosen = chosenCases(options);
  const peers = await openPeers();
  if (typeof peers === 'string') report(`NOT MEASURED: scikit-learn and incdbscan, because ${peers}. The points are our own generator's.`);
  const threads = availableParallelism();
  const outcomes: CaseOutcome[] = [];
  try {
    for (const { name, run } of chosen) {
      report(`--- ${name}`);
      const outcome = await inDirectory((directory) => run({ report, options, directory, peers, threads } satisfies CaseContext));
      report(`${JSON.stringify(outcome.ratios)}${options.scale === 1 ? '' : ` (${smaller(options)})`}`);
      outcomes.push(outcome);
    }
  } finally {
    if (typeof peers !== 'string') await peers.close();
  }
  return {
    work: `${options.scale === 1 ? '' : `${smaller(options)}. `}CLUSTER on the embedded log, exactly once, a durable commit per batch of 64, ${threads} threads for the bare kernel and scikit-learn, the engine on the same cores`,
    ratios: Object.assign({}, ...outcomes.map(({ ratios }) => ratios)) as Record<string, CaseOutcome['ratios'][string]>,
    sides: outcomes.flatMap(({ sides }) => sides),
    figures: {
      ...(options.scale === 1 ? {} : { scale: smaller(options) }),
      about: Object.assign({}, ...chosen.map(({ about }) => about)) as Record<string, string>,
      peers: typeof peers === 'string' ? `not measured: ${peers}` : 'scikit-learn and incdbscan, euclidean on the same unit vectors with eps sqrt(2 eps)',
      ...(Object.assign({}, ...outcomes.map(({ figures }) => figures)) as Record<string, unknown>),
    },
  };
};

/** What is said beside every figure of a part of the size. */
function smaller({ scale }: BenchOptions): string {
  return `sizes are ${scale} of those that the figures are asked for at: nothing here answers for them`;
}

/** By name, or all of a group: `toBareKernel` is four. */
function chosenCases({ only }: BenchOptions): readonly BenchCase[] {
  const isOf = (name: string, wanted: string): boolean => name === wanted || name.startsWith(`${wanted}.`);
  const unknown = only.filter((wanted) => !cases.some(({ name }) => isOf(name, wanted)));
  if (unknown.length > 0) throw new UnknownCase(`there is no case ${unknown.join(', ')}; cases: ${cases.map(({ name }) => name).join(', ')}`);
  return only.length === 0 ? cases : cases.filter(({ name }) => only.some((wanted) => isOf(name, wanted)));
}

async function inDirectory<Result>(use: (directory: string) => Promise<Result>): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-bench-'));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
