// `npm run example:banknotes`: every row of the data set through the bundled classifier. The rows were seen in training, so their accuracy says little;
// the accuracy that counts is the cross-validated one, which the model brings along.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { csvRows, labelstream, sample } from './example.ts';

const file = await sample('banknote/BankNote_Authentication.csv');
await labelstream('banknotes', 'publish', 'records', file, '--source', 'banknotes', '--attribute-column', 'class');
await labelstream('banknotes', 'run', '--until-idle');

const lines = (await labelstream('banknotes', 'tail', 'labels', '--from-start', '--until-end', '--json')).split('\n').filter((line) => line !== '');
const predicted = new Map<string, string>();
for (const line of lines) {
  const { value } = JSON.parse(line) as { value: { itemId: string; result: Readonly<Record<string, { label: string }>> } };
  predicted.set(value.itemId, value.result['labelstream.v1.Prediction']?.label ?? '');
}
let right = 0;
for (const { line, fields } of await csvRows(file, true)) {
  if (predicted.get(`banknotes/BankNote_Authentication.csv:${line}`) === (fields['class'] === '1' ? 'forged' : 'genuine')) right += 1;
}
const manifest = JSON.parse(await readFile(resolve(import.meta.dirname, '../models/banknote-classifier/manifest.json'), 'utf8')) as {
  readonly quality: Readonly<Record<string, unknown>>;
};
console.log(JSON.stringify({ rowsPredicted: predicted.size, accuracyOnRowsSeenInTraining: right / predicted.size, crossValidated: manifest.quality }));
