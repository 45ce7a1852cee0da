/**
 * How this repository compares two ways of doing the same work. Machines are shared and get warm, so two numbers taken one after the other
 * say little; here the sides take turns within one run,
 *
 *   warm-up L, warm-up R, then   L R   R L   L R   R L   L R
 *
 * each turn long enough to count, and the result is the median of the pairs' ratios, with its spread and both sides' CPU seconds.
 */

/** One way of doing the work. */
export type Side<Output> = {
  readonly name: string;
  /** What comes before each pass and is no part of the work; not measured. */
  readonly prepare?: () => Promise<void>;
  /**
   * Does all of the work once; both sides of a comparison get the same items. Where a pass holds more than the work (joining a group, another process
   * that starts), it tells what the work alone took.
   */
  readonly pass: () => Promise<{ readonly items: number; readonly output: Output; readonly seconds?: number; readonly cpuSeconds?: number }>;
  /** In the place of a first pass that does not count, where a smaller one warms up as well. */
  readonly warmUp?: () => Promise<void>;
};

export type Turn = {
  readonly items: number;
  readonly seconds: number;
  readonly itemsPerSecond: number;
  /** Of the whole process, its threads too. */
  readonly cpuSeconds: number;
};

export type PairsOptions<Left, Right> = {
  readonly left: Side<Left>;
  readonly right: Side<Right>;
  readonly pairCount?: number;
  /** A turn repeats the work until it has taken this long... */
  readonly turnSecondsMin?: number;
  /** ... or until it has done this many items, and a second has passed. */
  readonly turnItemsMin?: number;
  /** Where both sides compute the same: what is different, or undefined. Asked after every pair, and after a warm-up of whole passes. */
  readonly difference?: (left: Left, right: Right) => string | undefined | Promise<string | undefined>;
  /** Told after every turn. */
  readonly report?: (name: string, turn: Turn) => void;
};

export type Ratio = {
  /** Items per second of the left side by those of the right side. */
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly pairs: readonly number[];
};

export type PairsResult<Left, Right> = {
  readonly ratio: Ratio;
  readonly left: SideSummary;
  readonly right: SideSummary;
  /** What the last pass of each side gave. */
  readonly outputs: { readonly left: Left; readonly right: Right };
};

export type SideSummary = {
  readonly name: string;
  readonly itemsPerSecondMedian: number;
  readonly itemsPerSecondMin: number;
  readonly itemsPerSecondMax: number;
  /** Over all turns. */
  readonly items: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly cpuSecondsPerThousandItems: number;
};

/** Rejects where the outputs differ, and with whatever a side rejects with. */
export async function interleavedPairs<Left, Right>(options: PairsOptions<Left, Right>): Promise<PairsResult<Left, Right>> {
  const { left, right, pairCount = 5, difference } = options;
  let [leftOutput, rightOutput] = [await warmUp(left), await warmUp(right)];
  const compare = async (): Promise<void> => {
    if (leftOutput === undefined || rightOutput === undefined) return;
    const different = await difference?.(leftOutput.of, rightOutput.of);
    if (different !== undefined) throw new Error(`${left.name} and ${right.name} do not compute the same: ${different}`);
  };
  await compare();
  const leftTurns: Turn[] = [];
  const rightTurns: Turn[] = [];
  const takeLeft = async (): Promise<void> => {
    leftOutput = { of: await takeTurn(left, options, leftTurns) };
  };
  const takeRight = async (): Promise<void> => {
    rightOutput = { of: await takeTurn(right, options, rightTurns) };
  };
  for (let pair = 0; pair < pairCount; pair += 1) {
    // The order changes from pair to pair, so that a machine that slows down favours neither side.
    for (const take of pair % 2 === 0 ? [takeLeft, takeRight] : [takeRight, takeLeft]) await take();
    await compare();
  }
  if (leftOutput === undefined || rightOutput === undefined) throw new RangeError('a comparison has at least one pair');
  const ratios = leftTurns.map(({ itemsPerSecond }, pair) => itemsPerSecond / (rightTurns[pair]?.itemsPerSecond ?? Number.NaN));
  return {
    ratio: { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios), pairs: ratios },
    left: summaryOf(left.name, leftTurns),
    right: summaryOf(right.name, rightTurns),
    outputs: { left: leftOutput.of, right: rightOutput.of },
  };
}

/** What the pass gave, where it was one. */
async function warmUp<Output>(side: Side<Output>): Promise<{ readonly of: Output } | undefined> {
  if (side.warmUp === undefined) return { of: (await takePass(side)).output };
  await side.warmUp();
  return undefined;
}

async function takeTurn<Output>(
  side: Side<Output>,
  { turnSecondsMin = 10, turnItemsMin = 2_000, report }: Pick<PairsOptions<unknown, unknown>, 'turnSecondsMin' | 'turnItemsMin' | 'report'>,
  turns: Turn[],
): Promise<Output> {
  let [items, seconds, cpuSeconds] = [0, 0, 0];
  for (;;) {
    const pass = await takePass(side);
    items += pass.items;
    seconds += pass.seconds;
    cpuSeconds += pass.cpuSeconds;
    if (seconds < turnSecondsMin && (items < turnItemsMin || seconds < 1)) continue;
    const turn = { items, seconds, itemsPerSecond: items / seconds, cpuSeconds };
    turns.push(turn);
    report?.(side.name, turn);
    return pass.output;
  }
}

async function takePass<Output>({ prepare, pass }: Side<Output>): Promise<{ items: number; output: Output; seconds: number; cpuSeconds: number }> {
  await prepare?.();
  const cpuAtStart = process.cpuUsage();
  const startedMs = performance.now();
  const done = await pass();
  const seconds = (performance.now() - startedMs) / 1000;
  const { user, system } = process.cpuUsage(cpuAtStart);
  return { seconds, cpuSeconds: (user + system) / 1e6, ...done };
}

/** Of an even number of values, the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}

function summaryOf(name: string, turns: readonly Turn[]): SideSummary {
  const speeds = turns.map(({ itemsPerSecond }) => itemsPerSecond);
  const total = (of: (turn: Turn) => number): number => turns.reduce((sum, turn) => sum + of(turn), 0);
  const [items, cpuSeconds] = [total((turn) => turn.items), total((turn) => turn.cpuSeconds)];
  return {
    name,
    itemsPerSecondMedian: median(speeds),
    itemsPerSecondMin: Math.min(...speeds),
    itemsPerSecondMax: Math.max(...speeds),
    items,
    seconds: total((turn) => turn.seconds),
    cpuSeconds,
    cpuSecondsPerThousandItems: (1000 * cpuSeconds) / items,
  };
}
