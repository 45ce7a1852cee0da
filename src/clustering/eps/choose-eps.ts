/**
 * Help with choosing eps: the k-distance curve of a sample and its knee, what each of many values of eps makes of the sample, and a value to begin with.
 *
 * The knee of the k-distance curve (Ester and others, 1996) parts what lies in clusters from noise, where clusters are far apart. Vectors of language and
 * image models do not lie so: their density falls gently from topic to topic, and long before the knee the topics are joined by chains of items between
 * them. So the suggestion is the knee where it leaves several clusters, and else the last eps before one cluster dominates, the way a giant component
 * does in percolation: soon afterwards it swallows the others. Where one dominates from the start, since it is large by itself, it is the eps that leaves most
 * items in other clusters, with little noise. A collection that truly is one cluster may look like one that was chained into one; the table shows both.
 */
import type { Metric } from '../../core/events.generated.ts';
import { clusteringError } from '../../core/errors/clustering.ts';
import { checkVector } from '../distance.ts';
import type { SlicedWork } from '../sliced-work.ts';
import { distinctPoints } from './distinct-points.ts';
import { kneeOf } from './knee.ts';
import { epsOf, limitOf, neighbourGraph, type NeighbourGraph } from './neighbour-graph.ts';
import { sweepEps, type EpsRow, type RowSeen } from './sweep.ts';

export type EpsQuestion = {
  readonly metric: Metric;
  readonly minPoints: number;
  /** Values that the table is to have as well, such as the one in use. */
  readonly epsValues?: readonly number[];
  /** Pairs kept, 16 bytes each, at least 1; 4 million unless told. */
  readonly pairsMax?: number;
  /** Sees each row of the table with the clusters behind it, by the place of the vector in the sample; -1 is noise. */
  readonly seen?: (row: EpsRow, clusterOf: (index: number) => number) => void;
};

export type SuggestionReason =
  /** The knee of the k-distance curve, at which there are several clusters. */
  | 'knee'
  /** At the knee one cluster holds nearly all: the last eps before one dominates. */
  | 'before-chaining'
  /** One cluster dominates from the start, and at the knee has taken in nearly all: of the values with little noise, that with most items in other clusters. */
  | 'most-apart'
  /** Every item has minPoints identical ones: below the distance between different ones each value of eps gives the same clusters. */
  | 'identical';

export type EpsChoice = {
  readonly metric: Metric;
  readonly minPoints: number;
  /** Items of the sample, and how many different vectors they have. */
  readonly itemCount: number;
  readonly distinctCount: number;
  /**
   * The k-distance of every item, ascending: the least eps at which it is a core, so to its neighbour number minPoints with itself counted, as
   * scikit-learn counts (k = minPoints - 1 other items). Items that no eps makes a core (fewer items than minPoints) are not in it.
   */
  readonly curve: Float64Array;
  /** After Kneedle; undefined where the curve has none. */
  readonly knee: { readonly index: number; readonly eps: number } | undefined;
  /** By eps, ascending. */
  readonly table: readonly EpsRow[];
  /** The last eps of the table before one cluster dominates; undefined where one does as soon as half of the items are in clusters, or none ever does. */
  readonly beforeChaining: number | undefined;
  /** One of the table. */
  readonly suggestion: { readonly eps: number; readonly reason: SuggestionReason } | undefined;
  /** The eps suggested puts nearly all that is clustered into one cluster: no other value has the others apart, and it may join what does not belong together. */
  readonly isChained: boolean;
  /** From this eps on pairs were too many to be kept, and the table has no rows; undefined where all were kept. */
  readonly tableEnd: number | undefined;
};

const pairsMaxDefault = 4_000_000;
/** Of the curve, as quantiles. */
const tableRows = 100;
const epsValuesMax = 100;
const significantDigits = 4;
/** 8 bytes each: minPoints times items. */
const kDistancesMax = 2 ** 24;
/** Of the items in clusters: what one cluster may hold at the knee. */
const kneeShareMax = 0.75;
/** Of all items. Thinner parts of one cloud also come apart, with more noise or in fewer items than that. */
const [apartNoiseMax, apartShareMin] = [0.15, 0.1];

/** How many items may be looked at with this minPoints, so that memory stays bounded. */
export function sampleSizeMax(minPoints: number): number {
  return Math.floor(kDistancesMax / minPoints);
}

/** Throws LS_CLUSTERING_PARAMETERS_INVALID, LS_CLUSTERING_VECTOR_INVALID and LS_CLUSTERING_SAMPLE_TOO_LARGE. */
export function* chooseEps(vectors: readonly Float32Array[], question: EpsQuestion): SlicedWork<EpsChoice> {
  const { metric, minPoints, epsValues = [], pairsMax = pairsMaxDefault, seen } = question;
  requireSound(vectors, question);
  const points = distinctPoints(vectors);
  const graph = yield* neighbourGraph(points, metric, minPoints, pairsMax);
  const curve = curveOf(graph);
  const kneeIndex = kneeOf(curve);
  const knee = kneeIndex === undefined ? undefined : { index: kneeIndex, eps: roundedUp(curve[kneeIndex] as number) };
  const table: EpsRow[] = [];
  const collect: RowSeen = (row, clusterOf) => {
    table.push(row);
    seen?.(row, (index) => clusterOf(points.pointOf[index] as number));
  };
  const isIdentical = curve.length > 0 && curve.at(-1) === 0;
  const separating = isIdentical ? distancesBetween(graph) : [];
  const found = [...(isIdentical ? separating : quantilesOf(curve)), ...(knee === undefined ? [] : [knee.eps])].filter((eps) => eps > 0);
  const { bound } = graph.pairs;
  const rows = [...new Set([...epsValues, ...found])].filter((eps) => limitOf(metric, eps) < bound).sort((left, right) => left - right);
  yield* sweepEps(graph, rows, collect);
  const beforeChaining = lastBeforeChaining(table, points.itemCount);
  const suggestion = isIdentical ? identicalSuggestion(separating[0]) : suggestionOf(table, points.itemCount, knee?.eps, beforeChaining);
  const suggested = table.find(({ eps }) => eps === suggestion?.eps);
  return {
    metric, minPoints, itemCount: points.itemCount, distinctCount: points.count, curve, knee, table, beforeChaining, suggestion,
    isChained: suggested !== undefined && isChainedIn(suggested),
    tableEnd: bound === Infinity ? undefined : epsOf(metric, bound),
  };
}

function requireSound(vectors: readonly Float32Array[], { metric, minPoints, epsValues = [] }: EpsQuestion): void {
  if (!Number.isSafeInteger(minPoints) || minPoints < 1) throw clusteringError('LS_CLUSTERING_PARAMETERS_INVALID', `minPoints is a whole number from 1 up, not ${minPoints}`, { minPoints });
  const wrong = epsValues.find((eps) => !Number.isFinite(eps) || eps < 0);
  if (wrong !== undefined) throw clusteringError('LS_CLUSTERING_PARAMETERS_INVALID', `eps is a finite number from 0 up, not ${wrong}`, { eps: wrong });
  if (epsValues.length > epsValuesMax) throw clusteringError('LS_CLUSTERING_PARAMETERS_INVALID', `at most ${epsValuesMax} values of eps are looked at besides, not ${epsValues.length}`, { count: epsValues.length });
  const most = sampleSizeMax(minPoints);
  if (vectors.length >= minPoints && vectors.length > most) {
    throw clusteringError('LS_CLUSTERING_SAMPLE_TOO_LARGE', `with minPoints ${minPoints} at most ${most} items are looked at, and there are ${vectors.length}`, { minPoints, itemCount: vectors.length });
  }
  for (const [index, vector] of vectors.entries()) {
    const reason = checkVector(vector, vectors[0]?.length ?? 0, metric);
    if (reason !== undefined) throw clusteringError('LS_CLUSTERING_VECTOR_INVALID', `vector ${index} of the sample ${reason}`, { index });
  }
}

function curveOf({ metric, points: { weights, itemCount }, kDistances }: NeighbourGraph): Float64Array {
  const curve = new Float64Array(itemCount);
  let length = 0;
  for (const [point, weight] of weights.entries()) {
    const distance = kDistances[point] as number;
    if (distance === Infinity) continue;
    curve.fill(epsOf(metric, Math.max(0, distance)), length, length + weight);
    length += weight;
  }
  return curve.slice(0, length).sort();
}

/** Never below 0: rounding puts parallel vectors up to 1e-15 on the other side of it. */
function quantilesOf(curve: Float64Array): readonly number[] {
  if (curve.length === 0) return [];
  return Array.from({ length: tableRows }, (_, row) => roundedUp(curve[Math.ceil(((row + 1) / tableRows) * curve.length) - 1] as number));
}

/** Where every item is a core at any eps: half the least distance between different vectors, and some on the way to the largest. */
function distancesBetween({ metric, pairs: { distances, count } }: NeighbourGraph): readonly number[] {
  const apart = distances.slice(0, count).filter((distance) => distance > 1e-12).sort();
  if (apart.length === 0) return [];
  const steps = Array.from({ length: tableRows - 1 }, (_, row) => apart[Math.floor((row / (tableRows - 1)) * apart.length)] as number);
  return [roundedUp(epsOf(metric, apart[0] as number) / 2), ...steps.map((distance) => roundedUp(epsOf(metric, distance)))];
}

/** To digits that a person types: what the table says of an eps holds for the number shown. */
function roundedUp(value: number): number {
  if (value === 0) return 0;
  const nearest = Number(value.toPrecision(significantDigits));
  if (nearest >= value) return nearest;
  const unit = 10 ** (Math.floor(Math.log10(nearest)) - significantDigits + 1);
  return Number((nearest + unit).toPrecision(significantDigits));
}

/**
 * A cluster dominates that has more than a tenth of all items, and more than twice as many as the next one. While most items are noise that says nothing:
 * the densest cluster comes first.
 */
function lastBeforeChaining(table: readonly EpsRow[], itemCount: number): number | undefined {
  const begin = table.findIndex(({ noiseCount }) => noiseCount <= itemCount / 2);
  const chained = table.findIndex(({ largestSize, secondSize }, row) => row >= begin && largestSize > itemCount / 10 && largestSize > 2 * secondSize);
  return begin < 0 || chained <= begin ? undefined : table[chained - 1]?.eps;
}

function suggestionOf(table: readonly EpsRow[], itemCount: number, kneeEps: number | undefined, beforeChaining: number | undefined): EpsChoice['suggestion'] {
  const knee = table.find(({ eps }) => eps === kneeEps);
  if (knee !== undefined && !isChainedIn(knee)) return { eps: knee.eps, reason: 'knee' };
  if (beforeChaining !== undefined) return { eps: beforeChaining, reason: 'before-chaining' };
  if (knee === undefined) return undefined;
  const apart = mostApart(table.filter(({ eps, noiseCount }) => eps < knee.eps && noiseCount <= apartNoiseMax * itemCount));
  return apart !== undefined && inOthers(apart) >= apartShareMin * itemCount ? { eps: apart.eps, reason: 'most-apart' } : { eps: knee.eps, reason: 'knee' };
}

function isChainedIn(row: EpsRow): boolean {
  return row.largestSize > kneeShareMax * (row.coreCount + row.borderCount);
}

/** The last of several. */
function mostApart(rows: readonly EpsRow[]): EpsRow | undefined {
  let most: EpsRow | undefined;
  for (const row of rows) if (most === undefined || inOthers(row) >= inOthers(most)) most = row;
  return most;
}

/** Items in other clusters than the largest. */
function inOthers({ coreCount, borderCount, largestSize }: EpsRow): number {
  return coreCount + borderCount - largestSize;
}

function identicalSuggestion(eps: number | undefined): EpsChoice['suggestion'] {
  return eps === undefined ? undefined : { eps, reason: 'identical' };
}
