/** Counts what happened in a fuzzing run, so that a run in which nothing much happened fails. */
import type { Mutation } from '../../src/clustering/clustering.ts';
import type { OracleStep } from './naive-oracle.ts';
import type { Live } from './scenarios.ts';

export const occurrences = [
  'emerged',
  'merged of 3 or more',
  'split in 3 or more',
  'simultaneous splits',
  'border moved between living clusters',
  'dissolved',
  'item replaced',
  'duplicate deleted',
  'split whose part joined another',
] as const;

export type Census = {
  readonly counts: Record<(typeof occurrences)[number], number>;
  readonly liveCounts: number[];
};

export function createCensus(): Census {
  const counts = Object.fromEntries(occurrences.map((occurrence) => [occurrence, 0])) as Census['counts'];
  return { counts, liveCounts: [] };
}

export function mergeCensuses(censuses: readonly Census[]): Census {
  const merged = createCensus();
  for (const { counts, liveCounts } of censuses) {
    for (const occurrence of occurrences) merged.counts[occurrence] += counts[occurrence];
    for (const live of liveCounts) merged.liveCounts.push(live);
  }
  return merged;
}

/** Each occurrence counts once per record, however often the record holds it. */
export function count(census: Census, live: Live, mutations: readonly Mutation[], { change, before, after }: OracleStep): void {
  const happened = (occurrence: (typeof occurrences)[number], did: boolean): void => {
    if (did) census.counts[occurrence]++;
  };
  const { transitions, assignments } = change;
  const splits = transitions.filter(({ type }) => type === 'split');
  happened('emerged', transitions.some(({ type }) => type === 'emerged'));
  happened('dissolved', transitions.some(({ type }) => type === 'dissolved'));
  happened('merged of 3 or more', transitions.some(({ type, retired }) => type === 'merged' && retired.length >= 2));
  happened('split in 3 or more', splits.some(({ sizes }) => sizes.length >= 3));
  happened('simultaneous splits', splits.length >= 2);
  happened('split whose part joined another', splits.some(({ sizes, minted }) => sizes.length > 1 + minted.length));
  const entered = new Set(mutations.filter(({ kind }) => kind === 'insert').map(({ itemId }) => itemId));
  const idsBefore = new Set(Array.from(before.values(), ({ clusterId }) => clusterId));
  const idsAfter = new Set(Array.from(after.values(), ({ clusterId }) => clusterId));
  happened(
    'border moved between living clusters',
    assignments.some(({ itemId, clusterId, role }) => {
      const former = before.get(itemId);
      if (role !== 'border' || former?.role !== 'border' || entered.has(itemId)) return false;
      return former.clusterId !== clusterId && idsBefore.has(clusterId) && idsAfter.has(former.clusterId);
    }),
  );
  happened('item replaced', [...entered].some((itemId) => before.has(itemId) && after.has(itemId)));
  const gone = new Set([...before.keys()].filter((itemId) => !after.has(itemId)));
  const twins = Map.groupBy(live, ([, vector]) => Buffer.from(vector.buffer).toString('latin1'));
  happened('duplicate deleted', [...twins.values()].some((items) => items.length > 1 && items.some(([itemId]) => gone.has(itemId))));
  census.liveCounts.push(after.size);
}

export function median(values: readonly number[]): number {
  return [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)] ?? 0;
}

export function report({ counts, liveCounts }: Census): string {
  const lines = occurrences.map((occurrence) => `  ${occurrence}: ${counts[occurrence]}`);
  const live = `  live items: median ${median(liveCounts)}, at most ${liveCounts.reduce((most, live) => Math.max(most, live), 0)}`;
  return [`${liveCounts.length} steps compared`, ...lines, live].join('\n');
}
