// The interfaces on the real process: keys of the configuration, the models of the stream, and an orderly stop with requests under way.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { succeed, withRun } from '../cli/fixtures.ts';
import { tinyDirectory } from '../models/transformers/tiny-models.ts';
import { runProgram, startProgram, withDirectory, writeConfiguration } from './program.ts';

vi.setConfig({ testTimeout: 240_000 });

const settings = (server: string): string => `
dataDirectory: .
server: { port: 0${server} }
models: { notes: { directory: MODELS/banknote-classifier }, texts: { directory: MODELS/static-text-encoder } }
`;
const record = { variance: 3.6216, skewness: 8.6661, curtosis: -2.8073, entropy: -0.44699 };
const json = { 'content-type': 'application/json' };

const urlIn = (text: string): string => /"url":"([^"]+)"/.exec(text)?.[1] ?? '';

test('a key that `keys create` made opens what its scopes say, and its name stands in the log', async () => {
  await withDirectory(async (directory) => {
    const { key, sha256 } = JSON.parse((await succeed('keys', 'create', 'app', '--scopes', 'predict', '--requests-per-minute-max', '50', '--json')).stdout) as { key: string; sha256: string };
    expect([key, sha256]).toEqual([expect.stringMatching(/^ls_[\w-]{43}$/), expect.stringMatching(/^[0-9a-f]{64}$/)]);
    const file = await writeConfiguration(directory, settings(`, keys: { app: { sha256: ${sha256}, scopes: [predict], requestsPerMinuteMax: 50 } }`));
    await withRun(file, async (run) => {
      const url = urlIn(run.stderrSoFar());
      const ask = (headers: Record<string, string>): Promise<Response> => fetch(`${url}/predict`, { method: 'POST', headers: { ...json, ...headers }, body: JSON.stringify(record) });
      expect((await ask({})).status).toBe(401);
      const answer = await ask({ 'x-api-key': key });
      expect([answer.status, await answer.json()]).toMatchObject([200, { prediction: expect.any(String) as string }]);
      expect((await fetch(`${url}/api/models/texts/stop`, { method: 'POST', headers: { 'x-api-key': key } })).status).toBe(403);
      await expect.poll(() => run.stderrSoFar()).toMatch(/"path":"\/predict","status":200,.*"key":"app"/);
      expect(run.stderrSoFar()).not.toContain(key);
      expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/labelstream_http_request_duration_seconds_count\{method="POST",route="\/predict",status="200"\} 1/);
    });
  });
});

test('`keys create` says what to put into the configuration, and refuses what is no scope', async () => {
  const { stdout, stderr } = await succeed('keys', 'create', 'indexer', '--scopes', 'read,ingest');
  expect(stdout).toMatch(/^ls_[\w-]{43}\n$/);
  expect(stderr).toMatch(/server:\n {2}keys:\n {4}indexer:\n {6}sha256: [0-9a-f]{64}\n {6}scopes: \[read, ingest\]\n/);
  for (const wrong of [['keys', 'create', 'a', '--scopes', 'root'], ['keys', 'create', 'a b', '--scopes', 'read'], ['keys', 'create', 'a']]) expect((await runProgram(...wrong)).code).toBe(2);
});

test('a stop breaks off no request, and leaves nothing running', async () => {
  await withDirectory(async (directory) => {
    const model = join(directory, 'captions');
    await mkdir(model);
    await tinyDirectory('vit-gpt2', { directory: model });
    const file = await writeConfiguration(directory, settings('').replace('models: {', 'models: { captions: { directory: ./captions }, '));
    const program = startProgram(['run', '-c', file]);
    await program.said('"msg":"running"');
    const url = urlIn(program.stderrSoFar());
    const { readInput } = await import('../models/transformers/tiny-models.ts');
    const image = (await readInput('circles.png')).toString('base64');
    const asked = Array.from({ length: 40 }, () => fetch(`${url}/api/models/captions/tasks/image-captioning/features`, { method: 'POST', headers: json, body: JSON.stringify({ image }) }).then((response) => response.status, () => 0));
    await expect.poll(() => program.stderrSoFar()).toContain('"path":"/api/models/captions/tasks/image-captioning/features","status":200');
    program.kill('SIGTERM');
    const statuses = await Promise.all(asked);
    expect(statuses.filter((status) => status !== 200 && status !== 503), 'answered, or refused in words: none is broken off').toEqual([]);
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(0);
    const { code, stderr } = await program.finished;
    expect(code, stderr).toBe(0);
  });
});

test('what is wrong with the certificate is told before anything starts', async () => {
  await withDirectory(async (directory) => {
    await writeFile(join(directory, 'key.pem'), 'no key');
    const file = await writeConfiguration(directory, settings(', tls: { certificateFile: ./none.pem, privateKeyFile: ./key.pem }'));
    for (const command of ['run', 'validate']) {
      const { code, stderr } = await runProgram(command, '-c', file);
      expect([code, stderr], command).toEqual([78, expect.stringContaining('LS_SERVER_TLS')]);
    }
  });
});
