// A model that fails on everything (rule 8), in the real program: its partition pauses instead of filling the dead letters, and when the model is mended nothing is
// lost and nothing invented.
import { createHash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { topics } from '../../src/core/topics.ts';
import { readLog } from '../crash/log-contents.ts';
import { succeed, writeTexts } from '../cli/fixtures.ts';
import { openCodec } from '../../src/codec/codec.ts';
import { startProgram, withDirectory, writeConfiguration } from './program.ts';

vi.setConfig({ testTimeout: 300_000 });

/** Answers as long as no file `broken` is there; otherwise it fails, known answers and all. */
const plugin = `
import { existsSync } from 'node:fs';
const broken = new URL('./broken', import.meta.url);
const answer = async (items) => {
  if (existsSync(broken)) throw new Error('the model is broken');
  return items.map(() => ({ kind: 'scores', scores: Float32Array.of(1, 0) }));
};
export default { apiVersion: 1, name: 'fragile', models: { fragile: { open: async () => ({ answer }) } } };
`;

test('pauses its partition, and goes on with the very items when it is mended', async () => {
  await withDirectory(async (directory) => {
    await mkdir(join(directory, 'model'));
    await writeFile(join(directory, 'plugin.mjs'), plugin);
    await writeFile(join(directory, 'model/none'), 'none');
    const manifest = {
      kind: 'plugin', name: 'fragile', version: '1.0.0', licence: 'MIT', source: 'written by the tests', plugin: 'fragile', opens: 'fragile', tasks: ['text-classification'],
      input: 'text', labels: ['a', 'b'], batchItemsMax: 4, reproducible: true,
      files: [{ path: 'none', sha256: createHash('sha256').update('none').digest('hex'), sizeBytes: 4 }],
      knownAnswers: [{ input: { kind: 'text', text: 'known' }, output: [1, 0], tolerance: 0 }],
    };
    await writeFile(join(directory, 'model/manifest.json'), JSON.stringify(manifest));
    const file = await writeConfiguration(directory, `
dataDirectory: data
server: { enabled: false }
delivery: exactly-once
plugins: [./plugin.mjs]
transport: { partitionCount: 1 }
inference: { workerCount: 1 }
models: { fragile: { directory: model } }
routes: [{ name: texts, from: text, steps: [{ name: classify, task: text-classification, model: fragile }] }]
`);
    const ids = Array.from({ length: 300 }, (_, index) => `t${index}`);
    const texts = await writeTexts(directory, 'texts.jsonl', Object.fromEntries(ids.map((id) => [id, `text ${id}`])));
    const run = startProgram(['run', '-c', file]);
    await run.said('"running"');
    await writeFile(join(directory, 'broken'), '');
    await succeed('publish', 'text', texts, '--source', 's', '--id-column', 'id', '-c', file);
    await run.said('partition paused');
    // It probes, and stays where it is.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(run.stderrSoFar()).not.toContain('partition resumed');
    await rm(join(directory, 'broken'));
    await run.said('partition resumed');
    run.kill('SIGTERM');
    expect((await run.finished).code).toBe(0);
    await succeed('run', '-c', file, '--until-idle');

    const codec = await openCodec();
    const { records } = await readLog(join(directory, 'data'), [topics.labels, topics.deadLetters]);
    const labels = (records.get(topics.labels) ?? []).flat().map(({ value }) => codec.decodeAs('LabelEvent', value).itemId);
    const letters = (records.get(topics.deadLetters) ?? []).flat().map(({ key }) => String(key));
    expect([...labels, ...letters].sort()).toEqual(ids.map((id) => `s/${id}`).sort());
    expect(letters.length).toBeLessThan(60);
  });
});
