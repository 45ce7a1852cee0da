// The page and the text of a report, of collections whose names mean harm and of samples that say little.
import { expect, test } from 'vitest';
import { epsPage } from '../../../src/cli/eps/eps-page.ts';
import { epsReport, sampleWarnings, spread, suggestionText, type EpsReport } from '../../../src/cli/eps/eps-report.ts';
import { reportLines } from '../../../src/cli/eps/eps-text.ts';
import { chooseEps } from '../../../src/clustering/eps/choose-eps.ts';
import { atOnce } from '../../../src/clustering/sliced-work.ts';
import { createRandom } from '../../clustering/random.ts';

function reportOf(vectors: readonly Float32Array[], overrides: Partial<EpsReport> = {}): EpsReport {
  const parameters = { metric: 'euclidean', minPoints: 4, eps: 0.7 } as const;
  const choice = atOnce(chooseEps(vectors, { ...parameters, epsValues: [parameters.eps] }));
  return { ...epsReport({ family: 'f', collection: 'f', generation: 'g', parameters, projectionSha256: null, itemCount: vectors.length, vectors }, choice), ...overrides };
}

const random = createRandom(1);
const clouds = Array.from({ length: 300 }, (_, index) => Float32Array.of(9 * (index % 3) + random.gaussian(), random.gaussian()));
const report = reportOf(clouds);

test('the page holds its plots and its table, and fetches and runs nothing', () => {
  const page = epsPage([report]);
  expect(page.match(/<svg /g)).toHaveLength(4);
  expect(page.match(/<tr/g)).toHaveLength(report.table.length + 1);
  expect(page).toContain(`default-src 'none'`);
  expect(page).not.toMatch(/<script|\ssrc=|href=|url\(|@import|https?:|\son\w+=/i);
  expect(page).not.toMatch(/NaN|Infinity|undefined/);
  expect(page).toContain('<tr class="marked"><td>0.7</td>');
});

test('every element of the page is closed', () => {
  const open: string[] = [];
  for (const [tag, closing, name = '', rest = ''] of epsPage([report, report]).matchAll(/<(\/?)([a-z][\w]*)([^>]*)>/g)) {
    if (['meta'].includes(name) || rest.endsWith('/')) continue;
    if (closing === '') open.push(name);
    else expect(open.pop(), tag).toBe(name);
  }
  expect(open).toEqual([]);
});

test('names are text, whatever is in them', () => {
  const hostile = `</title><script>alert("1")</script><img src=x onerror='x'>&amp;`;
  const page = epsPage([{ ...report, collection: hostile, family: `${hostile}2`, generation: hostile }]);
  expect(page).not.toMatch(/<script|<img/i);
  expect(page).toContain('&lt;/title&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&lt;img src=x onerror=&#39;x&#39;&gt;&amp;amp;');
});

test('the text has a chart as wide as a terminal, and what is marked in its table', () => {
  const lines = reportLines(report);
  expect(lines[0]).toBe('f: 300 items, 300 different, euclidean, minPoints 4, eps 0.7 now');
  expect(lines[1]).toMatch(/^suggested eps [\d.]+, the knee of the k-distance curve: 3 clusters, [\d.]+ % noise, \d+ % in the largest$/);
  expect(Math.max(...lines.slice(2).map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(lines.filter((line) => /[│┤]/.test(line))).toHaveLength(12);
  expect(lines.slice(2).find((line) => line.endsWith('now'))).toMatch(/^0\.7 +\d+ /);
  expect(lines.filter((line) => /\bsuggested\b/.test(line)).length).toBeGreaterThanOrEqual(2);
  expect(lines.length).toBeLessThan(50);
});

test('the curve and the table go from the smallest to the largest', () => {
  expect(report.curve).toHaveLength(201);
  expect(report.curve[0]?.share).toBeCloseTo(1 / 300, 6);
  expect(report.curve.at(-1)?.share).toBe(1);
  expect(spread(5, 5)).toEqual([0, 1, 2, 3, 4]);
  expect(spread(101, 3)).toEqual([0, 50, 100]);
  expect(spread(0, 3)).toEqual([]);
});

test('little or nothing to look at is said, not drawn', () => {
  for (const vectors of [[], [Float32Array.of(1, 1)], Array.from({ length: 9 }, () => Float32Array.of(1, 1))]) {
    const small = reportOf(vectors);
    expect(small.suggestion).toBeNull();
    expect(reportLines(small)[1]).toMatch(/^no eps is suggested: /);
    expect(epsPage([small])).not.toMatch(/NaN|Infinity|undefined/);
    expect(reportLines(small).join('\n')).not.toMatch(/NaN|Infinity|undefined/);
  }
  expect(suggestionText(reportOf([Float32Array.of(1, 1)]))).toBe('no eps is suggested: with fewer than 4 items (minPoints) all are noise');
});

test('few items that differ have an axis that can be read, and are not told to be alike', () => {
  const few = reportOf(Array.from({ length: 5 }, (_, index) => Float32Array.from({ length: 5 }, (_value, at) => Number(at === index))));
  expect(few).toMatchObject({ distinctCount: 5, suggestion: null });
  const lines = reportLines(few);
  expect(lines[1]).toMatch(/^no eps is suggested: every item becomes a core at about the same eps.*; 5 items are too few to tell$/);
  expect(lines.find((line) => line.includes('0 %'))).toMatch(/0 % +100 %$/);
});

test('an eps that joins nearly all says so, in the text and on the page', () => {
  const random = createRandom(1);
  const joined = reportOf(Array.from({ length: 300 }, () => Float32Array.from({ length: 16 }, () => random.gaussian())));
  expect(joined.isChained).toBe(true);
  expect(sampleWarnings(joined)).toEqual([expect.stringMatching(/^at eps [\d.]+ one cluster holds \d+ % of the items: unless they are all of a kind, this joins what should be apart/)]);
  expect(epsPage([joined])).toContain('this joins what should be apart');
});

test('what has to be known of a sample is said', () => {
  expect(sampleWarnings(report)).toEqual([]);
  expect(sampleWarnings({ ...report, itemCount: 900, tableEnd: 0.123456 })).toEqual([
    'a sample of 300 of 900 items is thinner than they are: the eps that suits all of them is smaller, the more so the smaller the sample is (--sample)',
    'from eps 0.1235 on too many items are near each other to be counted; the table ends before',
  ]);
});
