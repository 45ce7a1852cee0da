// The custom skill on the real process: the published request as it stands, and what KEY, DEBUG and CLUSTER_LABELS_LOCATION say in the environment or in `.env`.
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, test, vi } from 'vitest';
import { certificateNeeds, makeCertificates } from '../brokers/certificates.ts';
import { succeed } from '../cli/fixtures.ts';
import { startContentServer } from '../references/content-server.ts';
import { fileThere, testWith } from '../requirements.ts';
import { repository, runProgram, startProgram, withDirectory, writeConfiguration } from './program.ts';

vi.setConfig({ testTimeout: 240_000 });

const configuration = (rest = '', labels?: string): string => `
dataDirectory: data
server: { port: 0${labels === undefined ? '' : `, skill: { labels: '${labels}' }`} }
transport: { partitionCount: 1 }
models: { eye: { directory: MODELS/visual-encoder } }
routes: [{ name: images, from: media, steps: [{ name: cluster, task: image-features, model: eye, collection: images }] }]
collections: [{ name: images, eps: 0.4, minPoints: 3 }]
${rest}`;
const cats = [1, 2, 4, 5].map((number) => join(repository, `examples/images/cat-0${number}.jpg`));
const published = resolve(repository, '../shared/data/powerskill/postman_request.json');

/** A live `run` in that directory. */
async function withService(directory: string, file: string, environment: Readonly<Record<string, string>>, use: (url: string, said: () => string) => Promise<void>): Promise<void> {
  const run = startProgram(['run', '-c', file], environment, directory);
  try {
    await run.said('"msg":"running"');
    await use(/"url":"([^"]+)"/.exec(run.stderrSoFar())?.[1] ?? '', run.stderrSoFar);
  } finally {
    run.kill('SIGKILL');
    await run.finished;
  }
}

async function extract(url: string, body: string, key?: string): Promise<readonly [number, unknown]> {
  const response = await fetch(`${url}/api/extraction`, { method: 'POST', headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { 'Ocp-Apim-Subscription-Key': key }) }, body });
  return [response.status, await response.json()];
}

async function requestOf(name: string): Promise<string> {
  return JSON.stringify({ values: [{ recordId: '7', data: { images: { data: (await readFile(name)).toString('base64') } } }] });
}

const labelled = (label: unknown) => ({ values: [{ recordId: '7', errors: '', data: { label }, warnings: '' }] });

async function withCats(directory: string, ...settings: readonly string[]): Promise<string> {
  const file = await writeConfiguration(directory, configuration(...settings));
  await succeed('publish', 'images', ...cats, '--source', 'camera', '-c', file);
  await succeed('run', '-c', file, '--until-idle');
  const [cluster] = (await succeed('clusters', 'list', '--json', '-c', file)).stdout.trim().split('\n').map((line) => JSON.parse(line) as { readonly id: string });
  await succeed('clusters', 'label', cluster?.id ?? '', '0', '-c', file);
  return file;
}

testWith({ 'the published request (../shared/data/powerskill)': fileThere(published) }, 'the published request is answered as it stands; KEY, DEBUG and the file of labels hold from `.env`', {}, async () => {
  await withDirectory(async (directory) => {
    const file = await withCats(directory);
    await writeFile(join(directory, 'labels.json'), '[["open book", "double spread"]]');
    await writeFile(join(directory, '.env'), 'KEY=[YourSecretKeyCanBeAnything]\nDEBUG=True\nCLUSTER_LABELS_LOCATION=labels.json\n');
    await withService(directory, file, {}, async (url, said) => {
      const key = '[YourSecretKeyCanBeAnything]';
      const request = await readFile(published, 'utf8');
      // A photograph of a book is near no drawing of a cat.
      expect(await extract(url, request, key)).toEqual([200, { values: [{ recordId: '0', errors: '', data: { label: '' }, warnings: '' }] }]);
      expect(await extract(url, await requestOf(cats[0]!), key)).toEqual([200, labelled(['open book', 'double spread'])]);
      for (const wrong of [undefined, 'other']) expect((await extract(url, request, wrong))[0]).toBe(403);
      expect((await fetch(`${url}/collections`, { headers: { 'x-api-key': key } })).status, 'for nothing else').toBe(403);
      await expect.poll(said).toContain('"key":"KEY"');
      expect(said()).toContain('"level":20');
      expect(said()).not.toContain(key);
    });
  });
});

testWith(certificateNeeds(), 'labels behind a signed URL are fetched with its query, and shown without; where they cannot be fetched a code says so', {}, async () => {
  await withDirectory(async (directory) => {
    const { authority, server } = await makeCertificates(directory);
    let isAway = true;
    const host = await startContentServer((request, response) => {
      if (isAway) response.writeHead(403).end();
      else response.end(request.url === '/tester/labels.json?sv=1&sig=s%2Bcret' ? '{"0": "cats"}' : '{"0": "wrong query"}');
    }, server);
    const file = await withCats(directory, `media: { fetch: { allowPrivateAddresses: [127.0.0.1], caFile: ${authority.certificatePath} } }`, `${host.origin}/tester/labels.json?sv=1&sig=s%2Bcret`);
    await withService(directory, file, {}, async (url, said) => {
      const request = await requestOf(cats[0]!);
      const [status, problem] = await extract(url, request);
      expect([status, problem]).toMatchObject([503, { code: 'LS_SERVER_LABELS', detail: 'the file of labels cannot be read: LS_REFERENCE_DENIED' }]);
      await expect.poll(said).toMatch(/"labels":"https:[^"]*labels\.json\?\.\.\.".*LS_REFERENCE_DENIED/);
      expect(said() + JSON.stringify(problem)).not.toContain('cret');
      isAway = false;
      expect(await extract(url, request)).toEqual([200, labelled(['cats'])]);
    });
  });
});

test('an address of labels that is neither a path nor https: is refused before anything starts', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, configuration('', 'http://example.com/labels.json'));
    const { code, stderr } = await runProgram('validate', '-c', file);
    expect([code, stderr]).toEqual([78, expect.stringContaining('server.skill.labels')]);
  });
});
