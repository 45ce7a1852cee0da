/**
 * How far two partitions agree, from pairs of items (Hubert and Arabie, "Comparing partitions", 1985): 1 for equal ones, about 0 for chance. As
 * scikit-learn's `adjusted_rand_score`: noise is a class of its own.
 */
export function adjustedRandIndex(left: ArrayLike<number>, right: ArrayLike<number>): number {
  const { length } = left;
  if (right.length !== length) throw new Error(`${length} labels against ${right.length}`);
  const pairs = (count: number): number => (count * (count - 1)) / 2;
  const sizes = (labelAt: (index: number) => string): number => {
    const counts = new Map<string, number>();
    for (let index = 0; index < length; index++) counts.set(labelAt(index), (counts.get(labelAt(index)) ?? 0) + 1);
    return counts.values().reduce((sum, count) => sum + pairs(count), 0);
  };
  const both = sizes((index) => `${left[index]!} ${right[index]!}`);
  const [ofLeft, ofRight] = [sizes((index) => String(left[index]!)), sizes((index) => String(right[index]!))];
  const expected = length < 2 ? 0 : (ofLeft * ofRight) / pairs(length);
  const most = (ofLeft + ofRight) / 2;
  return most === expected ? 1 : (both - expected) / (most - expected);
}
