// The page of `clusters eps --html` in a real browser: what is drawn, what it fetches, and what names that mean harm become.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect } from 'vitest';
import { epsPage } from '../../src/cli/eps/eps-page.ts';
import { epsReport, type EpsReport } from '../../src/cli/eps/eps-report.ts';
import { chooseEps } from '../../src/clustering/eps/choose-eps.ts';
import { atOnce } from '../../src/clustering/sliced-work.ts';
import { createRandom } from '../clustering/random.ts';
import { testWith } from '../requirements.ts';
import { withDirectory } from '../service/program.ts';
import { chromium, withPage, type Page } from './browser.ts';

const needs = { 'Chromium (LABELSTREAM_TEST_CHROMIUM)': chromium !== undefined };

function report(collection: string, generation = 'g'): EpsReport {
  const random = createRandom(1);
  const vectors = Array.from({ length: 300 }, (_, index) => Float32Array.of(9 * (index % 3) + random.gaussian(), random.gaussian()));
  const parameters = { metric: 'euclidean', minPoints: 4, eps: 0.7 } as const;
  const choice = atOnce(chooseEps(vectors, { ...parameters, epsValues: [parameters.eps] }));
  return epsReport({ family: `${collection} of a family`, collection, generation, parameters, projectionSha256: null, itemCount: vectors.length, vectors }, choice);
}

async function show<Result>(reports: readonly EpsReport[], look: (page: Page) => Promise<Result>): Promise<Result> {
  return withDirectory(async (directory) => {
    const file = join(directory, 'eps.html');
    await writeFile(file, epsPage(reports));
    return withPage(file, look);
  });
}

type Drawn = { readonly figures: number; readonly lines: readonly { readonly width: number; readonly height: number; readonly stroke: string; readonly inside: boolean }[]; readonly texts: number; readonly rows: number };

const drawn = `(() => {
  const lines = [...document.querySelectorAll('polyline')].map((line) => {
    const [box, plot] = [line.getBoundingClientRect(), line.closest('svg').getBoundingClientRect()];
    const inside = box.left >= plot.left && box.right <= plot.right && box.top >= plot.top && box.bottom <= plot.bottom;
    return { width: box.width, height: box.height, stroke: getComputedStyle(line).stroke, inside };
  });
  return { figures: document.querySelectorAll('figure').length, lines, texts: [...document.querySelectorAll('svg text')].filter((text) => text.getBoundingClientRect().width > 0).length, rows: document.querySelectorAll('tbody tr').length };
})()`;

testWith(needs, 'the plots are drawn, nothing is fetched, and the browser says nothing', {}, async () => {
  const shown = report('news');
  await show([shown], async (page) => {
    const { figures, lines, texts, rows } = (await page.evaluate(drawn)) as Drawn;
    expect(figures).toBe(4);
    expect(lines).toHaveLength(5);
    for (const { width, height, stroke, inside } of lines) {
      expect(width).toBeGreaterThan(100);
      expect(height).toBeGreaterThan(10);
      expect(stroke).not.toBe('none');
      expect(inside).toBe(true);
    }
    expect(texts).toBeGreaterThanOrEqual(4 * 12);
    expect(rows).toBe(shown.table.length);
    expect(page.requested).toEqual([expect.stringMatching(/^file:.*eps\.html$/)]);
    expect(page.said).toEqual([]);
    // Lines in the first colour of the page, as pixels.
    const { data, info } = await sharp(await page.screenshot()).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    let coloured = 0;
    for (let at = 0; at < data.length; at += info.channels) if (Math.abs(data[at]! - 0x1f) + Math.abs(data[at + 1]! - 0x6f) + Math.abs(data[at + 2]! - 0xb2) < 30) coloured++;
    expect(coloured).toBeGreaterThan(500);
    // The policy in its head is in force: it could fetch nothing if it tried to.
    const fetching = `new Promise((resolve) => { const image = new Image(); image.onload = () => resolve('loaded'); image.onerror = () => resolve('refused'); image.src = 'http://127.0.0.1:9/x.png'; })`;
    expect(await page.evaluate(fetching)).toBe('refused');
    expect(page.said.join()).toContain('Content Security Policy');
  });
});

testWith(needs, 'names that mean harm are text', {}, async () => {
  const hostile = [
    `</title><script>document.title='run'</script>`, `"><img src=x onerror="document.title='run'">`, `</style></svg></section><svg onload="document.title='run'">`,
    `&lt;b&gt;&#x3c;script&#x3e;`, `{{1+1}}\${1+1}\u202ejavascript:alert(1)`,
  ];
  const clean = await show([report('news')], (page) => page.evaluate(`document.querySelectorAll('*').length`));
  for (const name of hostile) {
    await show([report(name, name)], async (page) => {
      expect(await page.evaluate(`document.title`)).toBe(`eps of ${name}`);
      expect(await page.evaluate(`document.querySelector('h1').textContent`)).toBe(`${name} (${name} of a family)`);
      expect(await page.evaluate(`document.querySelectorAll('*').length`)).toBe(clean);
      expect(await page.evaluate(`document.querySelectorAll('script, img, [onload], [onerror]').length`)).toBe(0);
      expect(page.said).toEqual([]);
      expect(page.requested).toHaveLength(1);
    });
  }
});
