/**
 * The knee of a rising curve: after Kneedle (Satopää, Albrecht, Irwin and Raghavan, "Finding a 'Kneedle' in a Haystack", ICDCS workshops 2011), in its offline
 * form without smoothing. Ranks and values are scaled to 0..1; the knee of a convex curve is where it lies furthest below the diagonal.
 *
 * @param values ascending and finite.
 * @returns the index of the knee, the first one of several; undefined where the curve is flat, or nowhere below the diagonal.
 */
export function kneeOf(values: Float64Array): number | undefined {
  const last = values.length - 1;
  const [low, high] = [values[0] ?? 0, values[last] ?? 0];
  if (!(high > low)) return undefined;
  let knee: number | undefined;
  let deepest = 0;
  for (const [index, value] of values.entries()) {
    const depth = index / last - (value - low) / (high - low);
    if (depth > deepest) [knee, deepest] = [index, depth];
  }
  return knee;
}
