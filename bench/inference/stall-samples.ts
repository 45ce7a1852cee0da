/** How long turns of the main loop take at full load, in its own CPU time: as main-loop-stall.ts looks, with every look kept. */
const intervalMs = 5;

export type StallSamples = { readonly stop: () => readonly number[] };

export function sampleStalls(): StallSamples {
  const samples: number[] = [];
  let last = process.threadCpuUsage();
  const timer = setInterval(() => {
    const { user, system } = process.threadCpuUsage(last);
    last = process.threadCpuUsage();
    samples.push((user + system) / 1000);
  }, intervalMs);
  return {
    stop: () => {
      clearInterval(timer);
      return samples;
    },
  };
}

/** Nearest rank; NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
