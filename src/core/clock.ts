/** Time and chance as the program sees them: injected, so that a simulation can stand in. */
export type Clock = {
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  /** Resolves after `durationMs`, or at once (without throwing) when the signal aborts. */
  readonly sleep: (durationMs: number, signal?: AbortSignal) => Promise<void>;
};

/** A number in [0, 1). */
export type Random = () => number;
