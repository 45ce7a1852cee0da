// The examples on their real data, by the commands that the documents name.
import { join } from 'node:path';
import { expect } from 'vitest';
import { sampleModels, samples } from '../../examples/example.ts';
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

const questions = join(samples, 'text/banking77_train.csv');
const miniLm = join(sampleModels, 'all-MiniLM-L6-v2');

testWith({ [questions]: fileThere(questions), [miniLm]: fileThere(miniLm) }, 'banking: every fifth question through an imported MiniLM into live clusters', { timeout: 600_000 }, () =>
  withDirectory(async (directory) => {
    const result = await runExample('banking', directory);
    expect(result['texts']).toBe(2001);
    // scikit-learn's DBSCAN of the same vectors: 88 clusters, 41.7 % noise, 0.037, and 0.494 without noise. Which cluster a border item joins differs.
    expect(result['clusters']).toBe(88);
    expect(result['noiseShare']).toBeCloseTo(0.417, 2);
    expect(result['adjustedRandIndex']).toBeCloseTo(0.037, 2);
    expect(result['adjustedRandIndexWithoutNoise']).toBeCloseTo(0.495, 2);
  }),
);
