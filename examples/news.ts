// `npm run example:news`: AG News through an encoder into live clusters, compared with the four classes of the data.
import { csvRows, labelstream, sample } from './example.ts';
import { followClusters, printAgreement } from './live-clusters.ts';

const file = await sample('text/ag_news_test.csv');
const classNames: Readonly<Record<string, string>> = { 1: 'world', 2: 'sports', 3: 'business', 4: 'science and technology' };

await labelstream('news', 'publish', 'text', file, '--no-header', '--text-column', '2', '--text-column', '3', '--source', 'news');
await labelstream('news', 'run', '--until-idle');

const clusterOf = await followClusters('news');
printAgreement((await csvRows(file, false)).flatMap(({ line, fields }) => {
  const cluster = clusterOf(`news/ag_news_test.csv:${line}`);
  return cluster === undefined ? [] : [{ className: classNames[fields['0'] ?? ''] ?? 'unknown', cluster }];
}));
