import type { Ratio, SideSummary } from './interleaved-pairs.ts';

export type BenchOutcome = {
  /** What was compared, and over which items. */
  readonly work: string;
  /** Each by its name: medians of interleaved pairs. */
  readonly ratios: Readonly<Record<string, Ratio>>;
  readonly sides: readonly SideSummary[];
  /** Figures that are no ratios of speeds. */
  readonly figures: Readonly<Record<string, unknown>>;
};

/** What the command line says; a bench that knows no parts or sizes does all that it does. */
export type BenchOptions = {
  /** Names of cases or of groups of them; all where there are none. */
  readonly only: readonly string[];
  /** Of the sizes that figures are asked for at: 1 is those, 0.01 takes seconds. */
  readonly scale: number;
  /** Of each comparison. */
  readonly pairCount: number;
  /** Where a plot goes; undefined: none is made. */
  readonly plot: string | undefined;
};

export type Bench = (report: (message: string) => void, options: BenchOptions) => Promise<BenchOutcome>;

/** What `--only` names is not there. */
export class UnknownCase extends Error {}
