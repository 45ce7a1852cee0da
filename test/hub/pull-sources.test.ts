// What is wrong with the place that is pulled from is told of that place, and nothing of it is believed without bound.
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Clock } from '../../src/core/clock.ts';
import { LabelstreamError } from '../../src/core/errors/error.ts';
import { createDirectoryMirror } from '../../src/hub/directory-mirror.ts';
import { pull, type Pulled, type PullRequest } from '../../src/hub/pull.ts';
import { commit, startHub, startServer } from './hub-server.ts';

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-hub-'));
  // Node's own removal gives up on paths that are too long for it.
  onTestFinished(() => void execFileSync('rm', ['-rf', directory]));
  return directory;
}

/** Waits take no time. */
const clock: Clock = { nowMs: () => 0, elapsedMs: () => 0, sleep: () => Promise.resolve() };

function pulled(asked: Partial<PullRequest> & Pick<PullRequest, 'from' | 'directory'>): Promise<Pulled> {
  const request = { repository: 'acme/encoder', revision: commit, allowBranch: false, files: [], update: false, token: undefined, ...asked };
  return pull(request, { clock, random: () => 0, signal: new AbortController().signal });
}

async function refused(promise: Promise<unknown>): Promise<LabelstreamError> {
  const error = await promise.then(() => undefined, (thrown: unknown) => thrown);
  if (error instanceof LabelstreamError) return error;
  throw new Error('not refused', { cause: error });
}

test('a list that has a file twice is no list', async () => {
  const hub = await startHub({ listed: (list) => ({ ...list, siblings: [...list.siblings, ...list.siblings.filter(({ rfilename }) => rfilename === 'config.json')] }) });
  const directory = join(await temporaryDirectory(), 'encoder');
  expect(await refused(pulled({ from: hub.origin, directory }))).toMatchObject({ code: 'LS_PULL_ANSWER', message: expect.stringContaining('config.json twice') as string });
  // Of a file that nobody asks for it does not matter.
  const other = await startHub({ listed: (list) => ({ ...list, siblings: [...list.siblings, ...list.siblings.filter(({ rfilename }) => rfilename === 'pytorch_model.bin')] }) });
  expect((await pulled({ from: other.origin, directory })).files).toHaveLength(3);
});

test('a directory that cannot be listed is told as the source, and not as the target', async () => {
  const from = await temporaryDirectory();
  const base = join(from, 'acme/encoder/resolve', commit);
  await mkdir(base, { recursive: true });
  // Deeper than the system takes a path: of two halves.
  const half = join(...Array.from({ length: 15 }, () => 'd'.repeat(200)));
  for (const top of ['upper', 'lower']) await mkdir(join(base, top, half), { recursive: true });
  await rename(join(base, 'lower'), join(base, 'upper', half, 'lower'));
  const error = await refused(pulled({ from, directory: join(await temporaryDirectory(), 'encoder') }));
  expect(error).toMatchObject({ code: 'LS_PULL_SOURCE', message: expect.stringContaining(base) as string });
});

test('a cache whose snapshots hold the files themselves, and no links to blobs, is read', async () => {
  const from = await temporaryDirectory();
  const snapshot = join(from, 'models--acme--encoder/snapshots', commit);
  await mkdir(join(snapshot, 'onnx'), { recursive: true });
  await writeFile(join(snapshot, 'config.json'), '{}');
  await writeFile(join(snapshot, 'onnx/model.onnx'), 'graph');
  const { files } = await pulled({ from, directory: join(await temporaryDirectory(), 'encoder') });
  expect(files.map(({ path, sizeBytes }) => [path, sizeBytes]).sort()).toEqual([['config.json', 2], ['onnx/model.onnx', 5]]);
});

test('a file of a directory that cannot be read to its end is told as the source', async () => {
  const from = await temporaryDirectory();
  const base = join(from, 'acme/encoder/resolve', commit);
  await mkdir(base, { recursive: true });
  await writeFile(join(base, 'config.json'), '{}');
  const mirror = createDirectoryMirror(from, 'acme/encoder');
  const { body } = await mirror.open({ revision: commit, path: 'config.json' }, new AbortController().signal);
  await rm(join(base, 'config.json'));
  expect(await refused(Array.fromAsync(body))).toMatchObject({ code: 'LS_PULL_SOURCE' });
});

test('a file whose size nobody tells is not taken without bound', async () => {
  const hub = await startServer((request, response) => {
    if ((request.url ?? '').startsWith('/api/')) return void response.writeHead(404).end();
    // In chunks, without a length.
    response.write(Buffer.alloc(30_000));
    response.end(Buffer.alloc(30_000));
  });
  const directory = join(await temporaryDirectory(), 'encoder');
  const asked = { from: hub.origin, directory, files: ['config.json'] };
  expect(await refused(pulled({ ...asked, untoldBytesMax: 50_000 }))).toMatchObject({ code: 'LS_PULL_SIZE', message: expect.stringContaining('more than 50000 bytes') as string });
  expect((await pulled({ ...asked, untoldBytesMax: 60_000 })).files).toMatchObject([{ path: 'config.json', sizeBytes: 60_000 }]);
});
