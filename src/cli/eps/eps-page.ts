/**
 * The report as one HTML file: plots as SVG, the whole table, no script and nothing that is fetched (the policy in its head says so). Names come from
 * strangers, so every text is escaped.
 */
import { marksOf, percent, sampleWarnings, suggestionText, type EpsReport, type ReportRow } from './eps-report.ts';
import { epsNow, shortNumber } from './eps-text.ts';

const width = 640;
const height = 300;
const margin = { left: 64, right: 24, top: 16, bottom: 44 } as const;

type Line = { readonly name: string; readonly style: string; readonly points: readonly (readonly [x: number, y: number])[] };
type Mark = { readonly at: number; readonly text: string; readonly along: 'x' | 'y' };
type Axis = { readonly title: string; readonly most: number; readonly text: (value: number) => string };
type Plot = { readonly title: string; readonly x: Axis; readonly y: Axis; readonly lines: readonly Line[]; readonly marks: readonly Mark[] };

export function epsPage(reports: readonly EpsReport[]): string {
  const title = `eps of ${[...new Set(reports.map(({ collection }) => collection))].join(', ')}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>
:root { color-scheme: light dark; --one: #1f6fb2; --two: #b3541e; --mark: #6b6b6b; }
@media (prefers-color-scheme: dark) { :root { --one: #6db3ee; --two: #f0995a; --mark: #a8a8a8; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1360px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-bottom: 0; }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; flex: 1 1 ${width / 2}px; max-width: ${width}px; } svg { width: 100%; height: auto; }
svg text { font-size: 12px; fill: currentColor; } .axis { stroke: currentColor; } .grid { stroke: currentColor; opacity: 0.15; }
.line { fill: none; stroke-width: 2; } .one { stroke: var(--one); } .two { stroke: var(--two); stroke-dasharray: 6 3; }
.mark { stroke: var(--mark); stroke-dasharray: 3 3; }
table { border-collapse: collapse; } th, td { padding: 0.15rem 0.75rem; text-align: right; } td:last-child { text-align: left; }
tr.marked { font-weight: bold; } .warning { border-left: 4px solid var(--two); padding-left: 0.75rem; }
</style>
</head>
<body>
${reports.map(section).join('\n')}
</body>
</html>
`;
}

function section(report: EpsReport): string {
  const { collection, family, generation, metric, minPoints, itemCount, sampleSize, distinctCount } = report;
  const name = family === collection ? collection : `${collection} (${family})`;
  return `<section>
<h1>${escaped(name)}</h1>
<p>${sampleSize} of ${itemCount} items, ${distinctCount} different vectors, metric ${escaped(metric)}, minPoints ${minPoints}, ${epsNow(report)}, generation ${escaped(generation)}</p>
<p><strong>${escaped(capitalised(suggestionText(report)))}.</strong></p>
${sampleWarnings(report).map((warning) => `<p class="warning">${escaped(capitalised(warning))}.</p>`).join('\n')}
<div class="plots">
${plotsOf(report).map(figure).join('\n')}
</div>
<h2>Table</h2>
${tableOf(report)}
</section>`;
}

function plotsOf(report: EpsReport): readonly Plot[] {
  const { curve, table, suggestion, knee, eps, minPoints } = report;
  const plots: Plot[] = [];
  const values = [...(suggestion === null ? [] : [{ at: suggestion.eps, text: `suggested ${suggestion.eps}` }]), ...(eps === null || eps === suggestion?.eps ? [] : [{ at: eps, text: `now ${eps}` }])];
  if (curve.length > 1) {
    const most = Math.max(...curve.map((point) => point.eps));
    const kneeMark = knee === null || knee.eps === suggestion?.eps ? [] : [{ at: knee.eps, text: `knee ${knee.eps}` }];
    plots.push({
      title: `k-distance: to neighbour ${minPoints}, itself counted`,
      x: { title: 'share of the items', most: 1, text: percent },
      y: { title: 'eps', most, text: shortNumber },
      lines: [{ name: 'k-distance', style: 'one', points: curve.map((point) => [point.share, point.eps]) }],
      marks: [...values, ...kneeMark].filter(({ at }) => at <= most).map((mark) => ({ ...mark, along: 'y' })),
    });
  }
  if (table.length < 2) return plots;
  const x: Axis = { title: 'eps', most: Math.max(...table.map((row) => row.eps)), text: shortNumber };
  const marks = values.map((mark): Mark => ({ ...mark, along: 'x' }));
  const line = (name: string, style: string, of: (row: ReportRow) => number): Line => ({ name, style, points: table.map((row) => [row.eps, of(row)]) });
  const most = (of: (row: ReportRow) => number): number => Math.max(...table.map(of));
  const shares: Axis = { title: 'share of the items', most: 1, text: percent };
  return [
    ...plots,
    { title: 'Clusters', x, y: { title: 'clusters', most: most((row) => row.clusterCount), text: shortNumber }, lines: [line('clusters', 'one', (row) => row.clusterCount)], marks },
    { title: 'Noise, and the largest cluster', x, y: shares, lines: [line('noise', 'one', (row) => row.noiseShare), line('largest cluster', 'two', (row) => row.largestShare)], marks },
    { title: 'Neighbours of an item', x, y: { title: 'mean number', most: most((row) => row.meanDegree), text: shortNumber }, lines: [line('neighbours', 'one', (row) => row.meanDegree)], marks },
  ];
}

function figure({ title, x, y, lines, marks }: Plot): string {
  const [right, bottom] = [width - margin.right, height - margin.bottom];
  const across = (value: number): string => (margin.left + (x.most === 0 ? 0 : value / x.most) * (right - margin.left)).toFixed(1);
  const up = (value: number): string => (bottom - (y.most === 0 ? 0 : value / y.most) * (bottom - margin.top)).toFixed(1);
  const steps = [0, 0.25, 0.5, 0.75, 1];
  const parts = [
    ...steps.map((step) => `<line class="grid" x1="${margin.left}" x2="${right}" y1="${up(step * y.most)}" y2="${up(step * y.most)}"/>`),
    ...steps.map((step) => `<text x="${margin.left - 6}" y="${up(step * y.most)}" text-anchor="end" dominant-baseline="middle">${escaped(y.text(step * y.most))}</text>`),
    ...steps.map((step) => `<text x="${across(step * x.most)}" y="${bottom + 16}" text-anchor="middle">${escaped(x.text(step * x.most))}</text>`),
    `<line class="axis" x1="${margin.left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>`,
    `<text x="${(margin.left + right) / 2}" y="${height - 8}" text-anchor="middle">${escaped(x.title)}</text>`,
    ...marks.filter(({ along, at }) => at <= (along === 'x' ? x.most : y.most)).map(({ at, text, along }, index) =>
      along === 'y'
        ? `<line class="mark" x1="${margin.left}" x2="${right}" y1="${up(at)}" y2="${up(at)}"/><text x="${margin.left + 6}" y="${Number(up(at)) - 4}">${escaped(text)}</text>`
        : `<line class="mark" x1="${across(at)}" x2="${across(at)}" y1="${margin.top}" y2="${bottom}"/><text x="${Number(across(at)) + 4}" y="${margin.top + 10 + 14 * index}">${escaped(text)}</text>`,
    ),
    ...lines.map(({ name, style, points }) => `<polyline class="line ${style}" points="${points.map(([at, value]) => `${across(at)},${up(value)}`).join(' ')}"><title>${escaped(name)}</title></polyline>`),
  ];
  const legend = lines.length > 1 ? `: ${lines.map(({ name, style }) => `${name} (${style === 'two' ? 'dashed' : 'solid'})`).join(', ')}` : '';
  return `<figure>
<figcaption>${escaped(title + legend)}</figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(`${title}: ${y.title} over ${x.title}`)}">
${parts.join('\n')}
</svg>
</figure>`;
}

function tableOf(report: EpsReport): string {
  const rows = report.table.map((row) => {
    const marks = marksOf(report, row).join(', ');
    const cells = [String(row.eps), String(row.clusterCount), percent(row.noiseShare), percent(row.largestShare), percent(row.coreShare), shortNumber(row.meanDegree), marks];
    return `<tr${marks === '' ? '' : ' class="marked"'}>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`;
  });
  const head = ['eps', 'clusters', 'noise', 'largest', 'cores', 'neighbours', ''].map((cell) => `<th scope="col">${cell}</th>`).join('');
  return `<table>\n<thead><tr>${head}</tr></thead>\n<tbody>\n${rows.join('\n')}\n</tbody>\n</table>`;
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? character);
}
