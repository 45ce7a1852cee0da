/**
 * Which of many boxes are told: those above a score, of each crowd of one label the surest one, and of what is left the surest ones. What it costs is
 * bounded whatever a graph gives: each candidate is compared with what is kept so far, of the `candidatesMax` surest candidates.
 */

/** xmin, ymin, xmax, ymax; any unit. */
export type Corners = readonly [xmin: number, ymin: number, xmax: number, ymax: number];

export type Scored = { readonly label: string; readonly score: number; readonly corners: Corners };

export type BoxLimits = {
  /** What is told has a higher score. */
  readonly scoreMin: number;
  /** Of two boxes of one label whose intersection over union is above it, the less sure one is left out; undefined leaves all. */
  readonly overlapMax: number | undefined;
  /** Undefined: all. */
  readonly boxesMax: number | undefined;
};

/**
 * Where boxes are compared, less sure candidates are not looked at. Published detectors keep some hundreds to a thousand; 2,000 against the 1,000 boxes that may be told are
 * some milliseconds at worst.
 */
export const candidatesMax = 2_000;

/** The surest first; of equal scores, in their order. */
export function surest<Box extends { readonly score: number }>(candidates: readonly Box[], scoreMin: number): Box[] {
  return candidates.filter(({ score }) => score > scoreMin).sort((left, right) => right.score - left.score);
}

/** Greedy non-maximum suppression within each label. @param sorted The surest first. */
export function suppressed<Box extends Scored>(sorted: readonly Box[], { overlapMax, boxesMax = Number.POSITIVE_INFINITY }: Omit<BoxLimits, 'scoreMin'>): Box[] {
  if (overlapMax === undefined) return sorted.slice(0, boxesMax);
  const kept: Box[] = [];
  const keptOfLabel = new Map<string, Box[]>();
  for (const box of sorted.slice(0, candidatesMax)) {
    if (kept.length >= boxesMax) break;
    const rivals = keptOfLabel.get(box.label) ?? [];
    if (rivals.some((rival) => overlap(rival.corners, box.corners) > overlapMax)) continue;
    kept.push(box);
    rivals.push(box);
    keptOfLabel.set(box.label, rivals);
  }
  return kept;
}

/** Intersection over union, 0 to 1; 0 where both are empty. */
export function overlap(left: Corners, right: Corners): number {
  const across = Math.min(left[2], right[2]) - Math.max(left[0], right[0]);
  const along = Math.min(left[3], right[3]) - Math.max(left[1], right[1]);
  if (!(across > 0 && along > 0)) return 0;
  const shared = across * along;
  return shared / (areaOf(left) + areaOf(right) - shared);
}

function areaOf([xmin, ymin, xmax, ymax]: Corners): number {
  return (xmax - xmin) * (ymax - ymin);
}
