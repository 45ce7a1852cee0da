// Records on which a sound model fails are bad inputs, however many come in a row: the partition goes on behind them.
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { errorCatalogue } from '../../src/core/errors/catalogue.ts';
import { topics } from '../../src/core/topics.ts';
import { headerNames } from '../../src/pipeline/headers.ts';
import { fields, notesConfiguration, succeed, writeInput } from '../cli/fixtures.ts';
import { readLog } from '../crash/log-contents.ts';
import { runProgram, withDirectory, writeConfiguration } from './program.ts';

vi.setConfig({ testTimeout: 240_000 });

test('60 records that make a model give NaN, then 200 good ones, are 60 dead letters and 200 labels', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${notesConfiguration}transport: { partitionCount: 1 }\n`);
    const bad = Array.from({ length: 60 }, (_, index) => `bad${index},3e38,-3e38,3e38,-3e38`);
    const good = Array.from({ length: 200 }, (_, index) => `good${index},1,2,3,4`);
    await succeed('publish', 'records', await writeInput(directory, 'notes.csv', [`id,${fields.join(',')}`, ...bad, ...good]), '-c', file, '--id-column', 'id');

    const { code, stderr } = await runProgram('run', '-c', file, '--until-idle');
    expect(code, stderr).toBe(0);

    const { records } = await readLog(join(directory, 'data'), [topics.labels, topics.deadLetters]);
    const codes = (records.get(topics.deadLetters) ?? []).flat().map(({ headers }) => headers.get(headerNames.errorCode)?.toString());
    expect(codes).toEqual(bad.map(() => 'LS_MODEL_OUTPUT_NOT_FINITE'));
    expect(errorCatalogue.LS_MODEL_OUTPUT_NOT_FINITE.cause).toBe('input');
    expect((records.get(topics.labels) ?? []).flat()).toHaveLength(good.length);
  });
});
