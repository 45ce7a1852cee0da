// `serve`: models by HTTP without a log, told by options, environment and .env what a feature extraction server is told.
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { serveSettings } from '../../src/cli/serve-settings.ts';
import { runProgram, startProgram, withDirectory, writeConfiguration } from './program.ts';

vi.setConfig({ testTimeout: 240_000 });

const settings = `
dataDirectory: data
models: { texts: { directory: MODELS/static-text-encoder }, other: { directory: MODELS/static-text-encoder }, notes: { directory: MODELS/banknote-classifier } }
`;

/** What the machine of a test may say of its own. */
const unset = { HOST: '', PORT: '', LOG_LEVEL: '', DEFAULT_TASK: '', DEFAULT_CONSUMER_TYPE: '' };

test('an option wins over --set, --set over the environment, the environment over the file', () => {
  const none = { defaultModel: {} };
  const file = { HOST: '127.0.0.3', PORT: '1', LOG_LEVEL: 'DEBUG', DEFAULT_TASK: 'image_captioning', DEFAULT_MODEL_IMAGE_CAPTIONING: 'blip', DEFAULT_MODEL_OBJECT_DETECTION: 'detr', DEFAULT_CONSUMER_TYPE: 'single_thread_consumer' };
  expect(serveSettings(none, [], {}, file)).toEqual({
    assignments: ['server.host=127.0.0.3', 'server.port=1', 'log.level=debug', 'server.defaults.task=image-captioning', 'inference.consumer=single-thread'],
    defaultModels: { 'image-captioning': 'blip', 'object-detection': 'detr' },
    givers: {
      'server.host': 'HOST in .env', 'server.port': 'PORT in .env', 'log.level': 'LOG_LEVEL in .env', 'server.defaults.task': 'DEFAULT_TASK in .env', 'inference.consumer': 'DEFAULT_CONSUMER_TYPE in .env',
      'server.defaults.models.image-captioning': 'DEFAULT_MODEL_IMAGE_CAPTIONING in .env', 'server.defaults.models.object-detection': 'DEFAULT_MODEL_OBJECT_DETECTION in .env',
    },
  });
  const { assignments, defaultModels, givers } = serveSettings({ port: '4', defaultModel: { image_captioning: 'third' } }, ['server.port=3'], { PORT: '2', HOST: '', DEFAULT_MODEL_IMAGE_CAPTIONING: 'second' }, file);
  expect(assignments.filter((assignment) => assignment.startsWith('server.'))).toEqual(['server.host=127.0.0.3', 'server.port=2', 'server.defaults.task=image-captioning', 'server.port=3', 'server.port=4']);
  expect(defaultModels).toEqual({ 'image-captioning': 'third', 'object-detection': 'detr' });
  expect(givers).toMatchObject({ 'server.port': '--port', 'server.host': 'HOST in .env', 'server.defaults.models.image-captioning': '--default-model', 'server.defaults.models.object-detection': 'DEFAULT_MODEL_OBJECT_DETECTION in .env' });
  expect(serveSettings(none, ['server.port=3'], { PORT: '2' }, {}).givers, 'by --set, which is told as such').toEqual({});
  expect(serveSettings({ defaultTask: 'image_embedding', defaultModel: {} }, [], { DEFAULT_MODEL_TEXT_FEATURES: 'texts' }, { DEFAULT_MODEL_TEXT_EMBEDDING: 'others', DEFAULT_MODEL_IMAGE_CAPTIONING: '', PORT: '' }), 'as jobs call them, and nothing said is nothing').toMatchObject({ assignments: ['server.defaults.task=image-features'], defaultModels: { 'text-features': 'texts' }, givers: { 'server.defaults.models.text-features': 'DEFAULT_MODEL_TEXT_FEATURES' } });
  expect(serveSettings({ defaultModel: { text_query_embedding: 'other' } }, [], {}, {}).defaultModels, 'which would be a second name for one task').toEqual({ 'text-query-embedding': 'other' });
  expect(serveSettings({ logLevel: 'WARNING', defaultConsumerType: 'colours/Slow_Consumer', defaultModel: {} }, [], {}, {}).assignments).toEqual(['log.level=warn', 'inference.consumer=colours/Slow_Consumer']);
});

test('requests are answered without a log, by the defaults of .env; a signal ends it', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, settings);
    await writeFile(join(directory, '.env'), 'DEFAULT_TASK=text_features\nDEFAULT_MODEL_TEXT_FEATURES=other\nPORT=0\n');
    const program = startProgram(['serve', '-c', file, '--default-consumer-type', 'pool'], unset, directory);
    await program.said('"msg":"serving"');
    const { url = '' } = /"url":"(?<url>[^"]+)"/.exec(program.stderrSoFar())?.groups ?? {};
    const answer = await fetch(`${url}/api/features`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ text: 'a sailing boat' }) });
    expect([answer.status, await answer.json()]).toEqual([200, expect.any(Array)]);
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    expect(await readdir(directory), 'no log was made').not.toContain('data');
    program.kill('SIGTERM');
    const { code, stderr } = await program.finished;
    expect([code, stderr]).toEqual([0, expect.stringContaining('"forced":false')]);
  });
});

test('a default that there is not, and a port that is none, are told before anything starts', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, settings);
    for (const [options, said] of [
      [['--default-model', 'text-features=nobody'], 'there is no model "nobody"'],
      [['--default-model', 'text-features=notes'], 'the model notes is made for record-prediction, not for text-features'],
      [['--default-task', 'sing'], 'there is no task "sing"'],
      [['--default-consumer-type', 'nobody'], 'there is no consumer "nobody"'],
      [['--port', 'http'], '(by --port)'],
      [['--set', 'server.port=http'], '(by --set server.port)'],
    ] as const) {
      const { code, stderr } = await runProgram('serve', '-c', file, ...options);
      expect([code, stderr], options.join(' ')).toEqual([78, expect.stringContaining(said)]);
    }
    expect((await runProgram('serve', '-c', file, '--default-model', 'texts')).code).toBe(2);
  });
});

test('whoever listens away from loopback, and has no keys, is warned that nothing is answered', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${settings}server: { host: 0.0.0.0, port: 0 }\n`);
    const program = startProgram(['serve', '-c', file], unset, directory);
    await program.said('"msg":"serving"');
    program.kill('SIGTERM');
    const { stderr } = await program.finished;
    expect(stderr).toMatch(/"level":40,.*"host":"0\.0\.0\.0".*server\.keys/);
  });
});
