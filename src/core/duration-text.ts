const units = [['d', 86_400_000], ['h', 3_600_000], ['min', 60_000], ['s', 1_000]] as const;

/** Two units at most; nothing for nothing. */
export function durationText(durationMs: number | undefined): string {
  if (durationMs === undefined) return '';
  const first = units.findIndex(([, unitMs]) => durationMs >= unitMs);
  if (first < 0) return `${Math.round(durationMs)} ms`;
  let rest = durationMs;
  const parts = units.slice(first, first + 2).map(([name, unitMs]) => {
    const count = Math.floor(rest / unitMs);
    rest -= count * unitMs;
    return [count, name] as const;
  });
  return parts.flatMap(([count, name]) => (count === 0 ? [] : [`${count} ${name}`])).join(' ');
}
