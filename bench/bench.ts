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

export type Bench = (report: (message: string) => void) => Promise<BenchOutcome>;
