/** Time and chance as the program sees them: injected, so that a simulation can stand in. */
export type Clock = {
  /** Milliseconds since the epoch: what time it is. May be set forward and back while the program runs; never to be subtracted. */
  readonly nowMs: () => number;
  /** Milliseconds since some moment, never set: the difference of two readings is how long something took, or has yet to wait. */
  readonly elapsedMs: () => number;
  /** Resolves after `durationMs`, or at once (without throwing) when the signal aborts. */
  readonly sleep: (durationMs: number, signal?: AbortSignal) => Promise<void>;
};

/** A number in [0, 1). */
export type Random = () => number;
