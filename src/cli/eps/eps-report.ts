/** What `clusters eps` says of a collection, as JSON has it and as its text and its page are made of. */
import type { Metric } from '../../core/events.generated.ts';
import type { EpsChoice, SuggestionReason } from '../../clustering/eps/choose-eps.ts';
import type { EpsRow } from '../../clustering/eps/sweep.ts';
import type { VectorSample } from '../../stages/cluster/vector-sample.ts';

export type ReportRow = {
  readonly eps: number;
  readonly clusterCount: number;
  /** Shares are of the items of the sample. */
  readonly noiseShare: number;
  readonly largestShare: number;
  readonly secondShare: number;
  readonly coreShare: number;
  readonly borderShare: number;
  readonly meanDegree: number;
};

export type EpsReport = {
  readonly family: string;
  readonly collection: string;
  readonly generation: string;
  readonly metric: Metric;
  readonly minPoints: number;
  /** In use; null with another projection than the one in use, under which it means nothing. */
  readonly eps: number | null;
  /** What the vectors went through, by its SHA-256. */
  readonly projection: string | null;
  readonly itemCount: number;
  readonly sampleSize: number;
  /** Different vectors of the sample. */
  readonly distinctCount: number;
  readonly suggestion: { readonly eps: number; readonly reason: SuggestionReason } | null;
  readonly knee: { readonly share: number; readonly eps: number } | null;
  readonly beforeChaining: number | null;
  /** The eps suggested puts nearly all that is clustered into one cluster. */
  readonly isChained: boolean;
  readonly tableEnd: number | null;
  readonly table: readonly ReportRow[];
  /** `share` of the items of the sample are cores at this eps. */
  readonly curve: readonly { readonly share: number; readonly eps: number }[];
};

/** Points of the curve that are told. */
const curvePointsMax = 201;
const digits = 6;

/** @param projection what the vectors of the sample went through. */
export function epsReport(
  { family, collection, generation, parameters, projectionSha256, itemCount }: VectorSample,
  choice: EpsChoice,
  projection: string | null = projectionSha256,
): EpsReport {
  const { metric, minPoints, distinctCount, knee, curve } = choice;
  const sampleSize = choice.itemCount;
  const shareAt = (index: number): number => rounded((index + 1) / sampleSize);
  return {
    family, collection, generation, metric, minPoints, eps: projection === projectionSha256 ? parameters.eps : null, projection, itemCount, sampleSize, distinctCount,
    suggestion: choice.suggestion ?? null,
    knee: knee === undefined ? null : { share: shareAt(knee.index), eps: knee.eps },
    beforeChaining: choice.beforeChaining ?? null,
    isChained: choice.isChained,
    tableEnd: choice.tableEnd ?? null,
    table: choice.table.map((row) => reportRow(row, sampleSize)),
    curve: spread(curve.length, curvePointsMax).map((index) => ({ share: shareAt(index), eps: rounded(curve[index] ?? 0) })),
  };
}

function reportRow({ eps, clusterCount, noiseCount, largestSize, secondSize, coreCount, borderCount, meanDegree }: EpsRow, sampleSize: number): ReportRow {
  const share = (count: number): number => rounded(count / Math.max(1, sampleSize));
  return {
    eps, clusterCount, noiseShare: share(noiseCount), largestShare: share(largestSize), secondShare: share(secondSize), coreShare: share(coreCount),
    borderShare: share(borderCount), meanDegree: rounded(meanDegree),
  };
}

/** Evenly over 0 to `count` - 1, both ends included; all where there are no more. */
export function spread(count: number, countMax: number): readonly number[] {
  if (count <= countMax) return Array.from({ length: count }, (_, index) => index);
  return Array.from({ length: countMax }, (_, index) => Math.round((index * (count - 1)) / (countMax - 1)));
}

function rounded(value: number): number {
  return Number(value.toPrecision(digits));
}

/** What a row is, beside what it says. */
export function marksOf({ eps, suggestion, knee, beforeChaining }: EpsReport, row: ReportRow): readonly string[] {
  return [
    ...(row.eps === eps ? ['now'] : []),
    ...(row.eps === suggestion?.eps ? ['suggested'] : []),
    ...(row.eps === knee?.eps ? ['knee'] : []),
    ...(row.eps === beforeChaining ? ['before chaining'] : []),
  ];
}

const reasons: Readonly<Record<SuggestionReason, string>> = {
  knee: 'the knee of the k-distance curve',
  'before-chaining': 'the last one before one cluster swallows the others (at the knee it holds nearly all)',
  'most-apart': 'the one with most items in other clusters than the largest (at the knee that holds nearly all)',
  identical: 'every item has enough identical ones, and this is less than between any that differ',
};

/** Below that the curve is mostly chance. */
const fewItems = 50;

export function suggestionText(report: EpsReport): string {
  const { suggestion, table, sampleSize, minPoints } = report;
  if (suggestion !== null) {
    const row = table.find(({ eps }) => eps === suggestion.eps);
    const outcome = row === undefined ? '' : `: ${clustersText(row.clusterCount)}, ${percent(row.noiseShare)} noise, ${percent(row.largestShare)} in the largest`;
    return `suggested eps ${suggestion.eps}, ${reasons[suggestion.reason]}${outcome}`;
  }
  if (sampleSize < minPoints) return `no eps is suggested: with fewer than ${minPoints} items (minPoints) all are noise`;
  if (report.distinctCount <= 1) return 'no eps is suggested: the items do not differ, so there is nothing to tell apart';
  return `no eps is suggested: every item becomes a core at about the same eps, so nothing parts clusters from noise${sampleSize < fewItems ? `; ${sampleSize} items are too few to tell` : ''}`;
}

function clustersText(count: number): string {
  return count === 1 ? '1 cluster' : `${count} clusters`;
}

/** What has to be known of the sample to read the rest. */
export function sampleWarnings({ itemCount, sampleSize, tableEnd, isChained, suggestion, table }: EpsReport): readonly string[] {
  const largest = table.find(({ eps }) => eps === suggestion?.eps)?.largestShare ?? 0;
  return [
    ...(isChained && suggestion !== null
      ? [`at eps ${suggestion.eps} one cluster holds ${percent(largest)} of the items: unless they are all of a kind, this joins what should be apart; look in the table for an eps below it with more clusters`]
      : []),
    ...(sampleSize < itemCount
      ? [`a sample of ${sampleSize} of ${itemCount} items is thinner than they are: the eps that suits all of them is smaller, the more so the smaller the sample is (--sample)`]
      : []),
    ...(tableEnd === null ? [] : [`from eps ${Number(tableEnd.toPrecision(4))} on too many items are near each other to be counted; the table ends before`]),
  ];
}

export function percent(share: number): string {
  const value = share * 100;
  return `${value >= 10 || value === 0 ? value.toFixed(0) : value.toFixed(1)} %`;
}
