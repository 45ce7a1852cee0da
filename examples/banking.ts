// `npm run example:banking`: questions to a bank (banking77) through MiniLM into live clusters, compared with their 77 intents. Every fifth question
// of the data, unless LABELSTREAM_BANKING_EVERY says otherwise. The encoder is imported first where it is not there yet.
import { access, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { csvRows, labelstream, program, sample, sampleModel } from './example.ts';
import { followClusters, printAgreement } from './live-clusters.ts';

const data = resolve(import.meta.dirname, process.env['LABELSTREAM_DATA_DIR'] ?? '../data');
const encoder = join(data, 'models/minilm');
const every = Number(process.env['LABELSTREAM_BANKING_EVERY'] ?? '5');

const questions = await sample('text/banking77_train.csv');
const isThere = await access(encoder).then(() => true, () => false);
if (!isThere) await program('models', 'import', await sampleModel('all-MiniLM-L6-v2'), '--to', encoder, '--licence', 'Apache-2.0');

const chosen = (await csvRows(questions, true)).filter((_, index) => index % every === 0);
const file = join(data, 'banking-questions.csv');
const quoted = (value: string | undefined): string => `"${(value ?? '').replaceAll('"', '""').replaceAll(/\r?\n/g, ' ')}"`;
await mkdir(data, { recursive: true });
await writeFile(file, ['text,intent', ...chosen.map(({ fields }) => `${quoted(fields['text'])},${quoted(fields['category'])}`), ''].join('\n'));

await labelstream('banking', 'publish', 'text', file, '--text-column', 'text', '--attribute-column', 'intent', '--source', 'banking');
await labelstream('banking', 'run', '--until-idle');

const clusterOf = await followClusters('banking');
printAgreement((await csvRows(file, true)).flatMap(({ line, fields }) => {
  const cluster = clusterOf(`banking/banking-questions.csv:${line}`);
  return cluster === undefined ? [] : [{ className: fields['intent'] ?? '', cluster }];
}));
