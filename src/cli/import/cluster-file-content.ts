/** Of one file, and labels of its clusters. */
export const itemsMax = 10_000_000;

/** What a file of clusters holds, whatever it is written as. */
export type ClusterFileContent = {
  readonly items: readonly string[];
  /** Of each item its cluster, a whole number; -1: noise. */
  readonly clusters: readonly number[];
  /** By cluster; those that have one. */
  readonly labels: ReadonlyMap<number, string>;
  /** Undefined: the file does not say it. */
  readonly eps: number | undefined;
  readonly minPoints: number | undefined;
  readonly metric: string | undefined;
  readonly model: string | undefined;
  readonly modelVersion: string | undefined;
  /** In the order of the items, one for each. */
  readonly vectors: () => AsyncIterable<Float32Array>;
  readonly close: () => Promise<void>;
};
