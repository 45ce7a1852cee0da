/** A report for people at a terminal: the k-distance curve as bars, and the table. */
import { tableText } from '../output.ts';
import { marksOf, percent, spread, suggestionText, type EpsReport, type ReportRow } from './eps-report.ts';

const chartWidth = 60;
const chartHeight = 12;
const rowsMax = 21;
const eighths = ['', '▁', '▂', '▃', '▄', '▅', '▆', '▇'] as const;

export function reportLines(report: EpsReport): readonly string[] {
  const { collection, family, metric, minPoints, itemCount, sampleSize, distinctCount } = report;
  const name = family === collection ? collection : `${collection} (${family})`;
  const looked = sampleSize < itemCount ? `${sampleSize} of ${itemCount} items` : `${itemCount} ${itemCount === 1 ? 'item' : 'items'}`;
  return [
    `${name}: ${looked}, ${distinctCount} different, ${metric}, minPoints ${minPoints}, ${epsNow(report)}`,
    suggestionText(report),
    ...chartLines(report),
    ...(report.table.length === 0 ? [] : ['', ...tableLines(report)]),
  ];
}

export function epsNow({ eps, projection }: EpsReport): string {
  if (eps !== null) return projection === null ? `eps ${eps} now` : `eps ${eps} now, projected by ${projection.slice(0, 12)}`;
  return projection === null ? 'as if not projected' : `as if projected by ${projection.slice(0, 12)}`;
}

function chartLines({ curve, suggestion, minPoints }: EpsReport): readonly string[] {
  const top = curve.at(-1)?.eps ?? 0;
  if (curve.length < 2 || top === 0) return [];
  const heights = spread(curve.length, chartWidth).map((index) => ((curve[index]?.eps ?? 0) / top) * chartHeight);
  const marked = suggestion === null ? -1 : Math.min(chartHeight - 1, Math.floor((suggestion.eps / top) * chartHeight));
  const label = (row: number): string => (row === chartHeight - 1 ? shortNumber(top) : row === marked ? shortNumber(suggestion?.eps ?? 0) : row === 0 ? '0' : '');
  const rows = Array.from({ length: chartHeight }, (_, index) => chartHeight - 1 - index).map((row) => {
    const bars = heights.map((height) => barAt(height, row) ?? (row === marked ? '╌' : ' ')).join('');
    return `${label(row).padStart(8)} ${row === marked ? '┤' : '│'}${bars}`.trimEnd();
  });
  const left = `${''.padStart(8)} 0 %`;
  return [
    '',
    `k-distance: eps from which so many of the items are cores (minPoints ${minPoints})`,
    ...rows,
    `${left} ${percent(curve.at(-1)?.share ?? 1).padStart(heights.length - 3)}`,
  ];
}

function barAt(height: number, row: number): string | undefined {
  if (height >= row + 1) return '█';
  const part = eighths[Math.floor((height - row) * 8)];
  return part === '' ? undefined : part;
}

function tableLines(report: EpsReport): readonly string[] {
  const { table } = report;
  const spreadRows = new Set(spread(table.length, rowsMax));
  const shown = table.filter((row, index) => spreadRows.has(index) || marksOf(report, row).length > 0);
  const cells = (row: ReportRow): readonly (string | number)[] => [
    row.eps, row.clusterCount, percent(row.noiseShare), percent(row.largestShare), shortNumber(row.meanDegree), marksOf(report, row).join(', '),
  ];
  return tableText(['EPS', 'CLUSTERS', 'NOISE', 'LARGEST', 'NEIGHBOURS', ''], shown.map(cells)).split('\n');
}

export function shortNumber(value: number): string {
  if (value !== 0 && (Math.abs(value) >= 1e6 || Math.abs(value) < 1e-3)) return value.toExponential(1);
  return String(Number(value.toPrecision(3)));
}
