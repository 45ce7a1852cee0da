/** How the cost of an insert grows with n, as a table and as a page that needs nothing else. */

export type GrowthPoint = { readonly points: number; readonly meanDegree: number; readonly engineMs: number; readonly kernelMs: number };

const [width, height, margin] = [720, 440, 70];

/** Logarithmic on both axes. */
export function growthPage(growth: readonly GrowthPoint[], title: string): string {
  const series = [
    { name: 'engine, ms per insert', colour: '#0b6e4f', values: growth.map(({ engineMs }) => engineMs) },
    { name: 'bare kernel, ms per query', colour: '#b3541e', values: growth.map(({ kernelMs }) => kernelMs) },
  ];
  const across = scale(growth.map(({ points }) => points), margin, width - margin);
  const up = scale(series.flatMap(({ values }) => values), height - margin, margin);
  const at = (place: number, value: number): string => `${across.of(growth[place]?.points ?? 1).toFixed(1)},${up.of(value).toFixed(1)}`;
  const lines = series.map(({ name, colour, values }, index) => {
    const dots = values.map((value, place) => `<circle cx="${at(place, value).replace(',', '" cy="')}" r="4" fill="${colour}"/>`).join('');
    const line = `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${values.map((value, place) => at(place, value)).join(' ')}"/>`;
    return `${line}${dots}<text x="${margin + 10}" y="${margin - 26 + 18 * index}" fill="${colour}">${name}</text>`;
  });
  const rows = growth.map((point) => `<tr>${cellsOf(point).map((cell) => `<td>${cell}</td>`).join('')}</tr>`);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${title}</title>
<style>body{font:14px sans-serif;margin:2em}td,th{padding:.2em 1em;text-align:right}</style></head><body>
<h1>${title}</h1>
<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="12">
${across.ticks.map((tick) => `<path d="M${across.of(tick).toFixed(1)} ${margin}V${height - margin}" stroke="#ddd"/><text x="${across.of(tick).toFixed(1)}" y="${height - margin + 18}" text-anchor="middle">${tick.toLocaleString('en')}</text>`).join('\n')}
${up.ticks.map((tick) => `<path d="M${margin} ${up.of(tick).toFixed(1)}H${width - margin}" stroke="#ddd"/><text x="${margin - 8}" y="${(up.of(tick) + 4).toFixed(1)}" text-anchor="end">${tick} ms</text>`).join('\n')}
${lines.join('\n')}
<text x="${width / 2}" y="${height - 20}" text-anchor="middle">points</text>
</svg>
<table><tr>${headings.map((heading) => `<th>${heading}</th>`).join('')}</tr>
${rows.join('\n')}</table></body></html>
`;
}

/** For a terminal. */
export function growthTable(growth: readonly GrowthPoint[]): string {
  const rows = [headings, ...growth.map(cellsOf)];
  const widths = headings.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  ')).join('\n');
}

const headings = ['points', 'mean degree', 'engine, ms', 'bare kernel, ms', 'ratio'];

function cellsOf({ points, meanDegree, engineMs, kernelMs }: GrowthPoint): readonly string[] {
  return [String(points), meanDegree.toFixed(1), engineMs.toPrecision(3), kernelMs.toPrecision(3), (engineMs / kernelMs).toPrecision(3)];
}

type Scale = { readonly of: (value: number) => number; readonly ticks: readonly number[] };

/** From the power of ten at or below the smallest value to the one at or above the largest; one and a half decades have ticks at 2 and 5 as well. */
function scale(values: readonly number[], begin: number, end: number): Scale {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  const decades = Array.from({ length: high - low + 1 }, (_, index) => Number(`1e${low + index}`));
  const between = high - low > 2 ? [] : decades.slice(0, -1).flatMap((decade) => [2, 5].map((times) => Number((times * decade).toPrecision(1))));
  return { of: (value) => begin + ((Math.log10(value) - low) / (high - low)) * (end - begin), ticks: [...decades, ...between].sort((one, other) => one - other) };
}
