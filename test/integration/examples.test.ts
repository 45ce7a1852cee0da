// The examples on their real data, by the commands that the documents name.
import { join } from 'node:path';
import { expect } from 'vitest';
import { samples } from '../../examples/example.ts';
import { withDirectory } from '../service/program.ts';
import { fileThere, testWith } from './required.ts';
import { runExample } from './run-example.ts';

const news = join(samples, 'text/ag_news_test.csv');
const banknotes = join(samples, 'banknote/BankNote_Authentication.csv');

testWith({ [news]: fileThere(news) }, 'news: 7,600 texts into live clusters', { timeout: 300_000 }, () =>
  withDirectory(async (directory) => {
    const result = await runExample('news', directory);
    expect(result['texts']).toBe(7600);
    expect(result['clusters']).toBeGreaterThanOrEqual(10);
    expect(result['noiseShare']).toBeLessThan(0.75);
    // The card of the encoder gives 0.075, by another implementation of DBSCAN.
    expect(result['adjustedRandIndex']).toBeCloseTo(0.075, 2);
  }),
);

testWith({ [banknotes]: fileThere(banknotes) }, 'banknotes: every row is predicted', { timeout: 120_000 }, () =>
  withDirectory(async (directory) => {
    const result = await runExample('banknotes', directory);
    expect(result['rowsPredicted']).toBe(1372);
    expect(result['crossValidated']).toMatchObject({ crossValidatedAccuracy: expect.any(Number) as number, duplicatedRowsGrouped: true });
  }),
);
