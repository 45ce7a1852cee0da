// A repository is pulled whole and as it was listed or not at all, from a hub, a mirror or a directory, over as many attempts as it takes.
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { LabelstreamError } from '../../src/core/errors/error.ts';
import { pull, type Pulled, type PullObserver, type PullRequest } from '../../src/hub/pull.ts';
import type { Clock } from '../../src/core/clock.ts';
import { answerFile, commit, gitSha1, otherCommit, sha256, smallRepository, startHub, startServer, type HubOptions, type RepositoryFiles } from './hub-server.ts';

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-hub-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Waits take no time. */
const clock: Clock = { nowMs: () => 0, elapsedMs: () => 0, sleep: () => Promise.resolve() };

type Asked = Partial<PullRequest> & Pick<PullRequest, 'from' | 'directory'>;

function pulled(asked: Asked, observer: PullObserver = {}, signal = new AbortController().signal): Promise<Pulled> {
  const request = { repository: 'acme/encoder', revision: commit, allowBranch: false, files: [], update: false, token: undefined, ...asked };
  return pull(request, { clock, random: () => 0, signal, observer });
}

async function refused(promise: Promise<unknown>): Promise<LabelstreamError> {
  const error = await promise.then(() => undefined, (thrown: unknown) => thrown);
  if (error instanceof LabelstreamError) return error;
  throw new Error('not refused', { cause: error });
}

async function contentOf(directory: string): Promise<Record<string, string>> {
  const entries = (await readdir(directory, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const read = entries.map(async (entry) => {
    const path = join(entry.parentPath, entry.name);
    return [path.slice(directory.length + 1), sha256(await readFile(path))] as const;
  });
  return Object.fromEntries((await Promise.all(read)).sort());
}

const wanted = ['README.md', 'config.json', 'onnx/model.onnx'];
const digests = (names: readonly string[], files: RepositoryFiles = smallRepository): Record<string, string> => Object.fromEntries([...names].sort().map((name) => [name, sha256(files[name]!)]));

/** A hub, a place to pull to, and what is beside it. */
async function setUp(options: HubOptions = {}) {
  const hub = await startHub(options);
  const root = await temporaryDirectory();
  return { hub, root, directory: join(root, 'encoder'), from: hub.origin };
}

test('what the program reads is pulled, and the lock file says what it is', async () => {
  const { root, directory, from } = await setUp();
  const { files, fetchedFiles, lockPath } = await pulled({ from, directory });
  expect(await contentOf(directory)).toEqual(digests(wanted));
  expect({ names: files.map(({ path }) => path).sort(), fetchedFiles }).toEqual({ names: wanted, fetchedFiles: 3 });
  expect((await readdir(root)).sort()).toEqual(['encoder', 'encoder.lock.json']);
  expect(JSON.parse(await readFile(lockPath, 'utf8'))).toEqual({
    format: 1, repository: 'acme/encoder', revision: commit, from,
    files: wanted.map((path) => ({ path, sizeBytes: smallRepository[path]!.length, sha256: sha256(smallRepository[path]!) })),
  });
});

test('files are named by patterns, and one that fits nothing is told', async () => {
  const { directory, from } = await setUp();
  await pulled({ from, directory, files: ['onnx/*_quantized.onnx', 'config.json'] });
  expect(Object.keys(await contentOf(directory))).toEqual(['config.json', 'onnx/model_quantized.onnx']);
  expect(await refused(pulled({ from, directory: `${directory}-2`, files: ['*.onnx'] }))).toMatchObject({ code: 'LS_PULL_NOT_FOUND' });
});

test('a second pull finds everything there, fetches what is damaged or gone, and asks for nothing else', async () => {
  const { hub, directory, from } = await setUp();
  await pulled({ from, directory });
  const before = hub.requests.length;
  expect((await pulled({ from, directory })).fetchedFiles).toBe(0);
  expect(hub.requests.length).toBe(before);
  await writeFile(join(directory, 'config.json'), 'damaged');
  await rm(join(directory, 'onnx/model.onnx'));
  expect((await pulled({ from, directory })).fetchedFiles).toBe(2);
  expect(await contentOf(directory)).toEqual(digests(wanted));
  expect(hub.paths().slice(before).map((path) => path.split('/').at(-1))).toEqual(['config.json', 'model.onnx']);
});

test('the lock file alone, as version control keeps it, brings the same bytes, also from a mirror without lists, and refuses others', async () => {
  const { root, directory, from } = await setUp();
  await pulled({ from, directory });
  await rm(directory, { recursive: true });
  const mirror = await startHub({ listed: () => ({}) });
  await pulled({ from: mirror.origin, directory });
  expect(await contentOf(directory)).toEqual(digests(wanted));
  await rm(directory, { recursive: true });
  const liar = await startHub({ files: { ...smallRepository, 'config.json': Buffer.from('{"model_type":"evil"}') } });
  expect(await refused(pulled({ from: liar.origin, directory }))).toMatchObject({ code: 'LS_PULL_MISMATCH' });
  expect(await readdir(root)).not.toContain('encoder');
});

describe('what differs from the lock file is refused', () => {
  test.each<[string, Partial<PullRequest>, HubOptions]>([
    ['another repository', { repository: 'acme/other' }, {}],
    ['fewer files', { files: ['config.json'] }, {}],
    ['more files', { files: ['**'] }, {}],
    ['other bytes in the list', { files: wanted }, { files: { ...smallRepository, 'onnx/model.onnx': Buffer.from('other') } }],
  ])('%s', async (_, asked, options) => {
    const { directory, from } = await setUp();
    await pulled({ from, directory });
    const other = await startHub(options);
    expect(await refused(pulled({ from: other.origin, directory, ...asked }))).toMatchObject({ code: 'LS_PULL_LOCK' });
    expect(await contentOf(directory)).toEqual(digests(wanted));
  });

  test('another revision, unless it is to replace the former', async () => {
    const { root, directory, from } = await setUp();
    await pulled({ from, directory });
    const files = { 'config.json': Buffer.from('{}'), 'onnx/model.onnx': smallRepository['onnx/model.onnx']! };
    const newer = await startServer((request, response) => {
      const path = request.url ?? '';
      if (path.startsWith('/api/')) response.end(JSON.stringify({ sha: otherCommit, siblings: Object.keys(files).map((rfilename) => ({ rfilename, size: files[rfilename as keyof typeof files].length, ...(rfilename.endsWith('onnx') ? { lfs: { sha256: sha256(files['onnx/model.onnx']) } } : {}) })) }));
      else answerFile(request, response, files[path.split(`${otherCommit}/`)[1] as keyof typeof files], 'honoured', '"1"');
    });
    const asked = { from: newer.origin, directory, revision: otherCommit };
    expect(await refused(pulled(asked))).toMatchObject({ code: 'LS_PULL_LOCK' });
    expect((await pulled({ ...asked, update: true })).fetchedFiles).toBe(1);
    expect(await contentOf(directory)).toEqual({ 'config.json': sha256(files['config.json']), 'onnx/model.onnx': sha256(files['onnx/model.onnx']) });
    expect((await readdir(root)).sort()).toEqual(['encoder', 'encoder.lock.json']);
    expect((await pulled(asked)).fetchedFiles).toBe(0);
  });

  test('a lock file that is none', async () => {
    const { directory, from } = await setUp();
    await writeFile(`${directory}.lock.json`, '{"format":1}');
    expect(await refused(pulled({ from, directory }))).toMatchObject({ code: 'LS_PULL_LOCK' });
  });
});

describe('a branch', () => {
  test('is refused', async () => {
    const { hub, directory, from } = await setUp();
    expect(await refused(pulled({ from, directory, revision: 'main' }))).toMatchObject({ code: 'LS_PULL_NOT_FOUND', message: expect.stringContaining('--allow-branch') as string });
    expect(hub.requests).toEqual([]);
  });

  test('is resolved where it is allowed, and what it was is written down', async () => {
    const { hub, directory, from } = await setUp();
    const { revision, resolvedFrom, lockPath } = await pulled({ from, directory, revision: 'main', allowBranch: true });
    expect({ revision, resolvedFrom }).toEqual({ revision: commit, resolvedFrom: 'main' });
    expect(JSON.parse(await readFile(lockPath, 'utf8'))).toMatchObject({ revision: commit, resolvedFrom: 'main' });
    expect(hub.paths().filter((path) => path.includes('/resolve/')).every((path) => path.includes(commit))).toBe(true);
  });
});

describe('a download that breaks off', () => {
  /** Sends 9,000 bytes of the large file and, when they have arrived, hangs up, so often. */
  function breaking(times: number, options: HubOptions = {}): { readonly options: HubOptions; readonly progressed: NonNullable<PullObserver['progressed']> } {
    let left = times;
    let held: { readonly response: { destroy: () => unknown }; readonly until: number } | undefined;
    const progressed: PullObserver['progressed'] = ({ path, bytes }) => {
      if (path.endsWith('/model.onnx') && bytes === held?.until) held.response.destroy();
    };
    return { progressed, options: {
      ...options,
      before: (request, response) => {
        const large = smallRepository['onnx/model.onnx']!;
        if (!(request.url ?? '').endsWith('/model.onnx') || left-- <= 0) return false;
        const [, first = '0'] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? [];
        const start = options.ranges === 'ignored' ? 0 : Number(first);
        const part = large.subarray(start, start + 9_000);
        const etag = options.etag?.('', large) ?? `"${sha256(large)}"`;
        response.writeHead(start > 0 ? 206 : 200, { etag, 'content-length': large.length - start, ...(start > 0 ? { 'content-range': `bytes ${start}-${large.length - 1}/${large.length}` } : {}) });
        response.write(part);
        held = { response, until: start + part.length };
        return true;
      },
    } };
  }

  /** A pull that was told to stop after 9,000 bytes of the large file. */
  async function brokenOff(): Promise<{ root: string; directory: string }> {
    const { options, progressed } = breaking(1);
    const { root, directory, from } = await setUp(options);
    const stopping = new AbortController();
    await expect(pulled({ from, directory }, { progressed, retried: () => stopping.abort() }, stopping.signal)).rejects.toThrow();
    return { root, directory };
  }

  const ranges = (requests: readonly { url?: string | undefined; headers: { range?: string | undefined; 'if-range'?: string | undefined } }[]): unknown[] =>
    requests.filter(({ url }) => url?.endsWith('/model.onnx')).map(({ headers }) => headers.range);

  test('goes on behind what has arrived, of the same bytes alone', async () => {
    const { options, progressed } = breaking(2);
    const { hub, directory, from } = await setUp(options);
    const tries: unknown[] = [];
    await pulled({ from, directory }, { progressed, retried: ({ error }) => tries.push((error as LabelstreamError).code) });
    expect(await contentOf(directory)).toEqual(digests(wanted));
    expect(tries).toEqual(['LS_PULL_UNAVAILABLE', 'LS_PULL_UNAVAILABLE']);
    expect(ranges(hub.requests)).toEqual([undefined, 'bytes=9000-', 'bytes=18000-']);
    expect(hub.requests.find(({ headers }) => headers.range !== undefined)?.headers['if-range']).toBe(`"${sha256(smallRepository['onnx/model.onnx']!)}"`);
  });

  test.each<[string, HubOptions]>([
    ['at a host that ignores ranges', { ranges: 'ignored' }],
    ['at a host whose marks are weak', { etag: () => 'W/"weak"' }],
  ])('begins anew %s', async (_, of) => {
    const { options, progressed } = breaking(2, of);
    const { directory, from } = await setUp(options);
    await pulled({ from, directory }, { progressed });
    expect(await contentOf(directory)).toEqual(digests(wanted));
  });

  test('goes on where the list was not to be had at once', async () => {
    let lists = 0;
    const { directory, from } = await setUp({ before: (request, response) => (request.url ?? '').startsWith('/api/') && ++lists < 3 && response.writeHead(503).end() });
    await pulled({ from, directory });
    expect(lists).toBe(3);
    expect(await contentOf(directory)).toEqual(digests(wanted));
  });

  test('is given up after six attempts without one more byte, and the next pull goes on', async () => {
    const { root, directory } = await brokenOff();
    expect(await readdir(root)).toEqual(['.encoder.pull']);
    const failing = await startHub({ before: (request, response) => (request.url ?? '').endsWith('/model.onnx') && response.writeHead(503).end() });
    const tries: unknown[] = [];
    expect(await refused(pulled({ from: failing.origin, directory }, { retried: ({ attempt }) => tries.push(attempt) }))).toMatchObject({ code: 'LS_PULL_UNAVAILABLE' });
    expect(tries).toEqual([1, 2, 3, 4, 5]);
    const whole = await startHub();
    await pulled({ from: whole.origin, directory });
    expect(await contentOf(directory)).toEqual(digests(wanted));
    expect(ranges(whole.requests)).toEqual(['bytes=9000-']);
    expect((await readdir(root)).sort()).toEqual(['encoder', 'encoder.lock.json']);
  });

  test('whose beginning is of another file is fetched anew: the end is checked as a whole', async () => {
    const { root, directory } = await brokenOff();
    const parts = join(root, '.encoder.pull', commit, 'parts');
    const part = join(parts, (await readdir(parts)).find((name) => !name.endsWith('.json'))!);
    const bytes = await readFile(part);
    await writeFile(part, bytes.map((value) => value ^ 1));
    const whole = await startHub();
    await pulled({ from: whole.origin, directory });
    expect(await contentOf(directory)).toEqual(digests(wanted));
    expect(ranges(whole.requests)).toEqual(['bytes=9000-', undefined]);
  });
});

describe('what a host gives is not believed', () => {
  test.each<[string, HubOptions, string]>([
    ['a large file of another hash', { before: (request, response) => (request.url ?? '').endsWith('model.onnx') && response.end(Buffer.alloc(50_000)) }, 'LS_PULL_MISMATCH'],
    ['a small file of another hash', { before: (request, response) => (request.url ?? '').endsWith('config.json') && response.end('{"model_type":"tert"}') }, 'LS_PULL_MISMATCH'],
    ['a file that does not end', { before: (request, response) => (request.url ?? '').endsWith('config.json') && response.end('a'.repeat(10_000)) }, 'LS_PULL_MISMATCH'],
    ['an encoded file', { before: (request, response) => (request.url ?? '').endsWith('config.json') && response.setHeader('content-encoding', 'gzip').end('a') }, 'LS_PULL_ANSWER'],
    ['a list that is none', { listed: () => ['a'] }, 'LS_PULL_ANSWER'],
    ['a page instead of a list', { before: (request, response) => (request.url ?? '').startsWith('/api') && response.end('<html>') }, 'LS_PULL_ANSWER'],
    ['another revision', { listed: (list) => ({ ...list, sha: otherCommit }) }, 'LS_PULL_ANSWER'],
    ['a path upwards', { listed: (list) => ({ ...list, siblings: [{ rfilename: '../../config.json' }] }) }, 'LS_PULL_PATH'],
    ['an absolute path', { listed: (list) => ({ ...list, siblings: [{ rfilename: '/etc/config.json' }] }) }, 'LS_PULL_PATH'],
    ['a path with a backslash', { listed: (list) => ({ ...list, siblings: [{ rfilename: String.raw`a\..\config.json` }] }) }, 'LS_PULL_PATH'],
    ['more than there is room for', { listed: (list) => ({ ...list, siblings: [{ rfilename: 'onnx/model.onnx', size: 2 ** 52 }] }) }, 'LS_PULL_SPACE'],
    ['nothing of use', { listed: (list) => ({ ...list, siblings: [{ rfilename: 'a.bin' }] }) }, 'LS_PULL_NOT_FOUND'],
  ])('%s', async (_, options, code) => {
    const { root, directory, from } = await setUp(options);
    expect((await refused(pulled({ from, directory }))).code).toBe(code);
    expect(await readdir(root)).not.toContain('encoder');
    expect(await readdir(dirname(root))).not.toContain('config.json');
  });

  test('no repository, and one that is not for everybody', async () => {
    const { directory, from } = await setUp();
    expect(await refused(pulled({ from, directory, repository: 'acme/missing' }))).toMatchObject({ code: 'LS_PULL_NOT_FOUND' });
    const gated = await startHub({ before: (_, response) => response.writeHead(401).end() });
    expect(await refused(pulled({ from: gated.origin, directory }))).toMatchObject({ code: 'LS_PULL_DENIED' });
    expect(await refused(pulled({ from, directory, repository: '../etc' }))).toMatchObject({ code: 'LS_PULL_NOT_FOUND' });
    expect(await refused(pulled({ from: 'http://user:secret@127.0.0.1/', directory }))).toMatchObject({ message: expect.not.stringContaining('secret') as string });
  });
});

describe('the token', () => {
  test('goes to the host that was named, and not along with a redirect to another', async () => {
    const store = await startServer((request, response) => {
      const name = Object.keys(smallRepository).find((path) => (request.url ?? '').includes(path))!;
      answerFile(request, response, smallRepository[name]!, 'honoured', '"store"');
    });
    const { hub, directory, from } = await setUp({
      before: (request, response) => (request.url ?? '').includes('/resolve/') && response.writeHead(302, { location: `${store.origin}${request.url ?? ''}?signature=abc` }).end(),
    });
    await pulled({ from, directory, token: 'hf_secret' });
    expect(hub.requests.map(({ headers }) => headers.authorization)).toEqual(Array.from({ length: 4 }, () => 'Bearer hf_secret'));
    expect(store.requests.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined, undefined]);
    expect(await contentOf(directory)).toEqual(digests(wanted));
    expect(await readFile(`${directory}.lock.json`, 'utf8')).not.toContain('secret');
  });

  test('a redirect without end, and one to another protocol, end the pull', async () => {
    for (const location of ['/again', 'file:///etc/passwd', 'https://']) {
      const { directory, from } = await setUp({ before: (_, response) => response.writeHead(302, { location }).end() });
      expect(await refused(pulled({ from, directory }))).toMatchObject({ code: 'LS_PULL_ANSWER' });
    }
  });
});

describe('the directory', () => {
  test('that is somebody else’s is left alone', async () => {
    const { directory, from } = await setUp();
    await mkdir(directory);
    await writeFile(join(directory, 'precious'), 'data');
    expect(await refused(pulled({ from, directory }))).toMatchObject({ code: 'LS_PULL_TARGET' });
    await rm(join(directory, 'precious'));
    await pulled({ from, directory });
    await writeFile(join(directory, 'manifest.json'), 'mine');
    expect(await refused(pulled({ from, directory }))).toMatchObject({ code: 'LS_PULL_TARGET' });
    expect(await readFile(join(directory, 'manifest.json'), 'utf8')).toBe('mine');
  });

  test.each([
    ['after the lock file was written, before the directory came', join(commit, 'files')],
    ['while one directory takes the place of another', 'former'],
  ])('comes all the same where a pull was killed %s', async (_, left) => {
    const { hub, root, directory, from } = await setUp();
    await pulled({ from, directory });
    await mkdir(dirname(join(root, '.encoder.pull', left)), { recursive: true });
    await rename(directory, join(root, '.encoder.pull', left));
    const before = hub.requests.length;
    expect((await pulled({ from, directory })).fetchedFiles).toBe(0);
    expect(hub.requests.length).toBe(before);
    expect(await contentOf(directory)).toEqual(digests(wanted));
    expect((await readdir(root)).sort()).toEqual(['encoder', 'encoder.lock.json']);
  });

  test('that cannot be made is told, and nothing is left where nothing came', async () => {
    const { root, from } = await setUp();
    await writeFile(join(root, 'file'), '');
    expect(await refused(pulled({ from, directory: join(root, 'file/encoder') }))).toMatchObject({ code: 'LS_PULL_TARGET' });
    expect(await refused(pulled({ from, directory: join(root, 'encoder'), files: ['missing'] }))).toMatchObject({ code: 'LS_PULL_NOT_FOUND' });
    const tooLarge = await startHub({ listed: (list) => ({ ...list, siblings: [{ rfilename: 'onnx/model.onnx', size: 2 ** 52 }] }) });
    expect(await refused(pulled({ from: tooLarge.origin, directory: join(root, 'encoder') }))).toMatchObject({ code: 'LS_PULL_SPACE' });
    expect(await readdir(root)).toEqual(['file']);
  });

  test('is pulled to by one pull at a time', async () => {
    const { directory, from } = await setUp();
    const both = await Promise.allSettled([pulled({ from, directory }), pulled({ from, directory })]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(both.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'LS_PULL_TARGET' } });
  });
});

describe('a directory as mirror', () => {
  async function cache(files: RepositoryFiles): Promise<string> {
    const root = await temporaryDirectory();
    const base = join(root, 'models--acme--encoder');
    await mkdir(join(base, 'blobs'), { recursive: true });
    await mkdir(join(base, 'refs'));
    await writeFile(join(base, 'refs/main'), commit);
    for (const [path, bytes] of Object.entries(files)) {
      const blob = path.endsWith('.onnx') ? sha256(bytes) : gitSha1(bytes);
      await writeFile(join(base, 'blobs', blob), bytes);
      const at = join(base, 'snapshots', commit, path);
      await mkdir(dirname(at), { recursive: true });
      await symlink(join(base, 'blobs', blob), at);
    }
    return root;
  }

  test('in the layout of the cache, by commit and by branch', async () => {
    const from = await cache(smallRepository);
    const directory = join(await temporaryDirectory(), 'encoder');
    await pulled({ from, directory });
    expect(await contentOf(directory)).toEqual(digests(wanted));
    const { resolvedFrom } = await pulled({ from, directory: `${directory}-2`, revision: 'main', allowBranch: true });
    expect(resolvedFrom).toBe('main');
    expect(await refused(pulled({ from, directory: `${directory}-3`, revision: otherCommit }))).toMatchObject({ code: 'LS_PULL_NOT_FOUND' });
  });

  test('whose blobs are not what they are called is refused', async () => {
    const from = await cache(smallRepository);
    await writeFile(join(from, 'models--acme--encoder/blobs', gitSha1(smallRepository['config.json']!)), '{"model_type":"evil"}');
    expect(await refused(pulled({ from, directory: join(await temporaryDirectory(), 'encoder') }))).toMatchObject({ code: 'LS_PULL_MISMATCH' });
  });

  test('by the paths of the hub; a link that leads out is refused', async () => {
    const from = await temporaryDirectory();
    const base = join(from, 'acme/encoder/resolve', commit);
    await mkdir(base, { recursive: true });
    await writeFile(join(base, 'config.json'), '{}');
    await writeFile(join(from, 'secret'), 'secret');
    const directory = join(await temporaryDirectory(), 'encoder');
    await pulled({ from, directory });
    expect(Object.keys(await contentOf(directory))).toEqual(['config.json']);
    await symlink(join(from, 'secret'), join(base, 'tokenizer.json'));
    expect(await refused(pulled({ from, directory: `${directory}-2` }))).toMatchObject({ code: 'LS_PULL_PATH' });
  });
});
