// Ten thousand hostile messages among good ones: the real process lives, each has its dead letter, each good one its label.
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { demoRecords } from '../../src/cli/demo/demo-data.ts';
import { openAccess } from '../../src/open-access.ts';
import { createProcessContext } from '../../src/process-context.ts';
import { loadConfiguration } from '../../src/config/load.ts';
import { errorCatalogue } from '../../src/core/errors/catalogue.ts';
import { noHeaders, type OutputRecord } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { headerNames } from '../../src/pipeline/headers.ts';
import { tasks } from '../../src/tasks/registry.ts';
import { hostileMessages } from '../codec/hostile-messages.ts';
import { readLog } from '../crash/log-contents.ts';
import { runProgram, withDirectory, writeConfiguration } from './program.ts';

const hostileCount = 10_000;
const goodCount = 500;
const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? Date.now() % 1_000_000);

test('hostile messages become dead letters, good ones between them are labelled', { timeout: 240_000 }, async () => {
  console.log(`hostile input: seed ${seed} (repeat with LABELSTREAM_TEST_SEED=${seed})`);
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `
dataDirectory: .
server: { enabled: false }
models: { notes: { directory: MODELS/banknote-classifier } }
routes: [{ name: notes, from: record, steps: [{ name: predict, task: record-prediction, model: notes }] }]
`);
    const hostile = hostileMessages(seed, hostileCount);
    const good = demoRecords(goodCount + 5, seed).filter(({ values }) => 'entropy' in values).slice(0, goodCount);
    const loaded = await loadConfiguration({ file, environment: {}, assignments: [], tasks: [...tasks.values()] });
    const access = await openAccess(loaded.configuration!, await createProcessContext(pino({ level: 'silent' })), 'any');
    const inputTopicNames = [topics.text, topics.record, topics.media];
    const records = hostile.map(({ bytes }, index): OutputRecord => ({
      topic: inputTopicNames[index % 3]!, partition: index % 2, key: null, value: Buffer.from(bytes), headers: noHeaders,
    }));
    for (const [index, event] of good.entries()) {
      const record = { topic: topics.record, partition: index % 2, key: null, value: access.codec.encode('RecordEvent', event), headers: noHeaders };
      records.splice(Math.floor((index * records.length) / good.length), 0, record);
    }
    await access.transport.append(records);
    await access.close();

    const { code, stderr } = await runProgram('run', '-c', file, '--until-idle');
    expect(code, stderr).toBe(0);

    const contents = await readLog(directory, [topics.labels, topics.deadLetters]);
    const letters = (contents.records.get(topics.deadLetters) ?? []).flat();
    const codes = new Map<string, number>();
    for (const { headers } of letters) {
      const errorCode = headers.get(headerNames.errorCode)?.toString() ?? 'none';
      expect(errorCode in errorCatalogue, errorCode).toBe(true);
      codes.set(errorCode, (codes.get(errorCode) ?? 0) + 1);
    }
    console.log(`dead letters: ${[...codes].map(([errorCode, count]) => `${errorCode} ${count}`).join(', ')}`);
    const bytesOf = (values: readonly { readonly value: Uint8Array }[]): string[] => values.map(({ value }) => Buffer.from(value).toString('base64')).sort();
    expect(bytesOf(letters)).toEqual(bytesOf(hostile.map(({ bytes }) => ({ value: bytes }))));
    expect((contents.records.get(topics.labels) ?? []).flat()).toHaveLength(goodCount);
  });
});
