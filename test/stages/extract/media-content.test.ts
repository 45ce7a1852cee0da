// What a media event may refer to, on a real disk with real links, pipes and changes; and how much is held at once.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { truncateSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { LabelstreamError } from '../../../src/core/errors/error.ts';
import type { Reference } from '../../../src/core/events.generated.ts';
import type { ProcessContext } from '../../../src/pipeline/stage.ts';
import { createMediaContent, type MediaContentOptions } from '../../../src/stages/extract/media-content.ts';

async function temporaryDirectory(): Promise<string> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'labelstream-media-')));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** An allowed directory `allowed` beside one that is not. */
async function twoDirectories(): Promise<{ readonly base: string; readonly allowed: string; readonly outside: string }> {
  const base = await temporaryDirectory();
  await mkdir(join(base, 'allowed'));
  await mkdir(join(base, 'outside'));
  return { base, allowed: join(base, 'allowed'), outside: join(base, 'outside') };
}

const bytes = Buffer.from('the bytes of an image');
const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

function referenceTo(path: string, fields: Partial<Reference> = {}): Reference {
  return { uri: pathToFileURL(path).href, sha256: sha256(bytes), sizeBytes: BigInt(bytes.length), ...fields };
}

const contextOf = (signal: AbortSignal): ProcessContext => ({ signal, retry: (operation) => operation(1) });
const never = contextOf(new AbortController().signal);

function contentBelow(directories: readonly string[], fields: Partial<MediaContentOptions> = {}) {
  return createMediaContent({ directories, bytesMax: 1024 * 1024, heldBytesMax: 1024 * 1024, ...fields });
}

async function refusal(promise: Promise<unknown>): Promise<LabelstreamError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof LabelstreamError) return error;
    throw error;
  }
  throw new Error('was not refused');
}

const codeOf = async (promise: Promise<unknown>): Promise<string> => (await refusal(promise)).code;

describe('what is read', () => {
  test('inline bytes as they are, referenced ones from the file', async () => {
    const { allowed } = await twoDirectories();
    await mkdir(join(allowed, 'deep/er'), { recursive: true });
    const names = ['a.png', 'deep/er/b.png', 'with blank, ünïcode and 100 %.png', '..not above', 'a?b#c.png'];
    const content = contentBelow([allowed]);
    expect((await content.read(bytes, never)).bytes).toBe(bytes);
    for (const name of names) {
      await writeFile(join(allowed, name), bytes);
      expect((await content.read(referenceTo(join(allowed, name)), never)).bytes, name).toEqual(bytes);
    }
  });

  test('a file of many chunks, in memory of its own', async () => {
    const { allowed } = await twoDirectories();
    const large = Buffer.alloc(700_001, 'abc');
    await writeFile(join(allowed, 'large'), large);
    const { bytes: read } = await contentBelow([allowed]).read(referenceTo(join(allowed, 'large'), { sha256: sha256(large), sizeBytes: 700_001n }), never);
    expect(Buffer.compare(read, large)).toBe(0);
    expect(read.buffer.byteLength).toBe(large.length);
  });

  test('a directory that is a symbolic link, by its own name and by the real one; links that stay inside', async () => {
    const { base, allowed } = await twoDirectories();
    await writeFile(join(allowed, 'a.png'), bytes);
    await symlink(allowed, join(base, 'link'));
    await symlink('a.png', join(allowed, 'inside.png'));
    const content = contentBelow([join(base, 'link')]);
    for (const path of [join(base, 'link/a.png'), join(allowed, 'a.png'), join(allowed, 'inside.png'), join(base, 'link/inside.png')]) {
      expect((await content.read(referenceTo(path), never)).bytes, path).toEqual(bytes);
    }
  });

  test('the localhost of a file URI is no host', async () => {
    const { allowed } = await twoDirectories();
    await writeFile(join(allowed, 'a.png'), bytes);
    const uri = `file://localhost${allowed}/a.png`;
    expect((await contentBelow([allowed]).read(referenceTo('', { uri }), never)).bytes).toEqual(bytes);
  });
});

describe('what is refused', () => {
  test.each([
    ['http://example.org/a.png', 'LS_REFERENCE_NOT_ALLOWED'],
    ['https://example.org/a.png', 'LS_REFERENCE_NOT_ALLOWED'],
    ['blob:https://example.org/a', 'LS_MEDIA_SCHEME'],
    ['data:image/png;base64,AAAA', 'LS_MEDIA_SCHEME'],
    ['HTTPS://example.org/a.png', 'LS_REFERENCE_NOT_ALLOWED'],
    ['', 'LS_MEDIA_REFERENCE'],
    ['a.png', 'LS_MEDIA_REFERENCE'],
    ['/etc/hostname', 'LS_MEDIA_REFERENCE'],
    ['file:a.png', 'LS_MEDIA_REFERENCE'],
    ['file:/ALLOWED/a.png', 'LS_MEDIA_REFERENCE'],
    ['file://elsewhere/ALLOWED/a.png', 'LS_MEDIA_REFERENCE'],
    ['file:////elsewhere/share/a.png', 'LS_MEDIA_NOT_ALLOWED'],
    ['file://ALLOWED/a.png?x', 'LS_MEDIA_REFERENCE'],
    ['file://ALLOWED/a.png#x', 'LS_MEDIA_REFERENCE'],
    ['file://ALLOWED/a%00.png', 'LS_MEDIA_REFERENCE'],
    ['file://ALLOWED/a\n.png', 'LS_MEDIA_REFERENCE'],
    ['file://ALLOWED\\a.png', 'LS_MEDIA_REFERENCE'],
    ['file://ALLOWED/%2e%2e%2foutside/a.png', 'LS_MEDIA_REFERENCE'],
    ['file://ALLOWED/..%2Foutside/a.png', 'LS_MEDIA_REFERENCE'],
    ['file://ALLOWED/%ff.png', 'LS_MEDIA_REFERENCE'],
    ['file://ALLOWED/../outside/a.png', 'LS_MEDIA_NOT_ALLOWED'],
    ['file://ALLOWED/%2e%2e/outside/a.png', 'LS_MEDIA_NOT_ALLOWED'],
    ['file://ALLOWED', 'LS_MEDIA_NOT_ALLOWED'],
    ['file://ALLOWED/', 'LS_MEDIA_NOT_ALLOWED'],
    ['file://ALLOWED-too/a.png', 'LS_MEDIA_NOT_ALLOWED'],
    ['file:///etc/passwd', 'LS_MEDIA_NOT_ALLOWED'],
    ['file:///proc/self/environ', 'LS_MEDIA_NOT_ALLOWED'],
    ['file:///dev/zero', 'LS_MEDIA_NOT_ALLOWED'],
    [`file:///${'a'.repeat(5_000)}`, 'LS_MEDIA_REFERENCE'],
    ['file://ALLOWED/missing.png', 'LS_MEDIA_NOT_FOUND'],
    ['file://ALLOWED/a.png/below', 'LS_MEDIA_NOT_FOUND'],
    ['file://ALLOWED/a.png/', 'LS_MEDIA_NOT_FOUND'],
    [`file://ALLOWED/${'n'.repeat(300)}`, 'LS_MEDIA_NOT_FOUND'],
    ['file://ALLOWED/folder', 'LS_MEDIA_NOT_A_FILE'],
  ])('%s: %s', async (uri, code) => {
    const { base, allowed, outside } = await twoDirectories();
    await mkdir(join(base, 'allowed-too'));
    await mkdir(join(allowed, 'folder'));
    for (const directory of [allowed, outside, join(base, 'allowed-too')]) await writeFile(join(directory, 'a.png'), bytes);
    const error = await refusal(contentBelow([allowed]).read(referenceTo('', { uri: uri.replace('ALLOWED', allowed) }), never));
    expect(error.code).toBe(code);
    expect(error.description.cause).toBe('input');
    expect(error.message).not.toContain('\n');
    expect(error.message.length).toBeLessThan(700);
  });

  test('every reference where no directory is allowed', async () => {
    const { allowed } = await twoDirectories();
    await writeFile(join(allowed, 'a.png'), bytes);
    expect(await codeOf(contentBelow([]).read(referenceTo(join(allowed, 'a.png')), never))).toBe('LS_MEDIA_NOT_ALLOWED');
  });

  test.each([
    ['a hash in capitals', { sha256: sha256(bytes).toUpperCase() }, 'LS_MEDIA_REFERENCE'],
    ['a short hash', { sha256: 'ab' }, 'LS_MEDIA_REFERENCE'],
    ['no bytes', { sizeBytes: 0n }, 'LS_MEDIA_REFERENCE'],
    ['fewer than no bytes', { sizeBytes: -1n }, 'LS_MEDIA_REFERENCE'],
    ['more bytes than are allowed', { sizeBytes: 1024n * 1024n + 1n }, 'LS_MEDIA_TOO_LARGE'],
    ['more bytes than a number holds', { sizeBytes: 2n ** 63n - 1n }, 'LS_MEDIA_TOO_LARGE'],
    ['a byte less than there are', { sizeBytes: BigInt(bytes.length - 1) }, 'LS_MEDIA_MISMATCH'],
    ['a byte more than there are', { sizeBytes: BigInt(bytes.length + 1) }, 'LS_MEDIA_MISMATCH'],
    ['another hash', { sha256: sha256(Buffer.from('other')) }, 'LS_MEDIA_MISMATCH'],
  ])('%s', async (_, fields, code) => {
    const { allowed } = await twoDirectories();
    await writeFile(join(allowed, 'a.png'), bytes);
    expect(await codeOf(contentBelow([allowed]).read(referenceTo(join(allowed, 'a.png'), fields), never))).toBe(code);
  });

  test('inline bytes beyond the limit', async () => {
    expect(await codeOf(contentBelow([], { bytesMax: bytes.length - 1 }).read(bytes, never))).toBe('LS_MEDIA_TOO_LARGE');
    expect((await contentBelow([], { bytesMax: bytes.length }).read(bytes, never)).bytes).toBe(bytes);
  });

  test('symbolic links that leave: of a file, of a directory, chained, dangling, in circles', async () => {
    const { allowed, outside } = await twoDirectories();
    await writeFile(join(outside, 'a.png'), bytes);
    await symlink(join(outside, 'a.png'), join(allowed, 'file.png'));
    await symlink('../outside', join(allowed, 'directory'));
    await symlink('file.png', join(allowed, 'chain.png'));
    await symlink('nothing', join(allowed, 'dangling.png'));
    await symlink('circle.png', join(allowed, 'circle.png'));
    const content = contentBelow([allowed]);
    const codes = async (...names: string[]) => Promise.all(names.map((name) => codeOf(content.read(referenceTo(join(allowed, name)), never))));
    expect(await codes('file.png', 'directory/a.png', 'chain.png', 'dangling.png', 'circle.png')).toEqual([
      'LS_MEDIA_NOT_ALLOWED', 'LS_MEDIA_NOT_ALLOWED', 'LS_MEDIA_NOT_ALLOWED', 'LS_MEDIA_NOT_FOUND', 'LS_MEDIA_NOT_FOUND',
    ]);
  });

  test('pipes, sockets and devices, without waiting for anybody', async () => {
    const { allowed } = await twoDirectories();
    execFileSync('mkfifo', [join(allowed, 'pipe')]);
    const server = createServer().listen(join(allowed, 'socket'));
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const content = contentBelow([allowed, '/dev']);
    for (const path of [join(allowed, 'pipe'), join(allowed, 'socket'), '/dev/zero']) {
      expect(await codeOf(content.read(referenceTo(path), never)), path).toBe('LS_MEDIA_NOT_A_FILE');
    }
  });

  test('a file that may not be read', async (context) => {
    if (process.getuid?.() === 0) context.skip('root may read everything');
    const { allowed } = await twoDirectories();
    await writeFile(join(allowed, 'a.png'), bytes);
    await chmod(join(allowed, 'a.png'), 0);
    expect(await codeOf(contentBelow([allowed]).read(referenceTo(join(allowed, 'a.png')), never))).toBe('LS_MEDIA_DENIED');
  });

  test('the wrong file while it is swapped with a link that leaves, again and again: never what is outside', async () => {
    const { allowed, outside } = await twoDirectories();
    const secret = Buffer.from('the bytes of a secret');
    expect(secret.length).toBe(bytes.length);
    await mkdir(join(allowed, 'folder'));
    await writeFile(join(allowed, 'folder/a.png'), bytes);
    await writeFile(join(outside, 'a.png'), secret);
    await symlink(outside, join(allowed, 'other'));
    const swapping = new AbortController();
    const swapper = (async () => {
      while (!swapping.signal.aborted) {
        await rename(join(allowed, 'folder'), join(allowed, 'aside'));
        await rename(join(allowed, 'other'), join(allowed, 'folder'));
        await rename(join(allowed, 'folder'), join(allowed, 'other'));
        await rename(join(allowed, 'aside'), join(allowed, 'folder'));
      }
    })();
    const content = contentBelow([allowed]);
    const outcomes = new Map<string, number>();
    for (let attempt = 0; attempt < 400; attempt++) {
      // Who knows the secret's hash may still not have it read.
      const outcome = await content.read(referenceTo(join(allowed, 'folder/a.png'), { sha256: sha256(secret) }), never).then(() => 'read', (error: unknown) => (error as LabelstreamError).code);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    swapping.abort();
    await swapper;
    expect(outcomes.has('read'), JSON.stringify([...outcomes])).toBe(false);
    for (const code of outcomes.keys()) expect(['LS_MEDIA_NOT_ALLOWED', 'LS_MEDIA_NOT_FOUND', 'LS_MEDIA_MISMATCH']).toContain(code);
  });
});

describe('what changes meanwhile', () => {
  test.each([
    ['cut', (path: string) => truncateSync(path, 300_000), 'ended after'],
    ['lengthened', (path: string) => writeFileSync(path, Buffer.alloc(1_000_000, 7)), 'grew'],
    ['overwritten', (path: string) => writeFileSync(path, Buffer.alloc(900_000, 8)), 'another SHA-256'],
  ])('a file that is %s between two chunks is not the one of the event', async (_, change, said) => {
    const { allowed } = await twoDirectories();
    const path = join(allowed, 'large');
    const large = Buffer.alloc(900_000, 7);
    await writeFile(path, large);
    let looks = 0;
    // The reader looks at its signal for two budgets and before every chunk: the fifth look is between two chunks.
    const signal = new Proxy(new AbortController().signal, {
      get: (target, name) => {
        if (name === 'throwIfAborted' && ++looks === 5) change(path);
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    const error = await refusal(contentBelow([allowed]).read(referenceTo(path, { sha256: sha256(large), sizeBytes: 900_000n }), contextOf(signal)));
    expect(error.code).toBe('LS_MEDIA_MISMATCH');
    expect(error.message).toContain(said);
  });
});

describe('what is not there for now', () => {
  test('an allowed directory that is away is no fault of the event, and may pass', async () => {
    const { base, allowed } = await twoDirectories();
    await writeFile(join(allowed, 'a.png'), bytes);
    await rename(allowed, join(base, 'unmounted'));
    const attempts: number[] = [];
    const context: ProcessContext = {
      signal: new AbortController().signal,
      retry: async (operation) => {
        for (let attempt = 1; ; attempt++) {
          attempts.push(attempt);
          try {
            return await operation(attempt);
          } catch (error) {
            expect((error as LabelstreamError).code).toBe('LS_MEDIA_UNAVAILABLE');
            expect((error as LabelstreamError).retryable).toBe(true);
            expect((error as LabelstreamError).description.cause).toBe('environment');
            await rename(join(base, 'unmounted'), allowed);
          }
        }
      },
    };
    expect((await contentBelow([allowed]).read(referenceTo(join(allowed, 'a.png')), context)).bytes).toEqual(bytes);
    expect(attempts).toEqual([1, 2]);
  });
});

describe('how much is held', () => {
  async function files(count: number): Promise<{ readonly allowed: string; readonly references: readonly Reference[] }> {
    const { allowed } = await twoDirectories();
    const references = Array.from({ length: count }, (_, index) => referenceTo(join(allowed, `${index}`)));
    await Promise.all(references.map((_, index) => writeFile(join(allowed, `${index}`), bytes)));
    return { allowed, references };
  }

  test('at most the budget, in the order of arrival; what is released makes room', async () => {
    const { allowed, references } = await files(5);
    const content = contentBelow([allowed], { heldBytesMax: bytes.length * 2 });
    const held: number[] = [];
    const releases: (() => void)[] = [];
    const reading = references.map(async (reference, index) => {
      const { release } = await content.read(reference, never);
      held.push(index);
      releases[index] = release;
    });
    await Promise.all(reading.slice(0, 2));
    expect([...held].sort()).toEqual([0, 1]);
    releases[0]!();
    releases[0]!();
    await reading[2];
    expect(held).toHaveLength(3);
    releases[1]!();
    releases[2]!();
    await Promise.all(reading);
    expect([...held].sort()).toEqual([0, 1, 2, 3, 4]);
  });

  test('one larger than the budget is admitted alone', async () => {
    const { allowed, references } = await files(2);
    const content = contentBelow([allowed], { heldBytesMax: 1 });
    const first = await content.read(references[0]!, never);
    let second = false;
    const reading = content.read(references[1]!, never).then(() => (second = true));
    expect(second).toBe(false);
    first.release();
    await reading;
  });

  test('an aborted record leaves the queue; a refused one gives its room back', async () => {
    const { allowed, references } = await files(3);
    const content = contentBelow([allowed], { heldBytesMax: bytes.length });
    const first = await content.read(references[0]!, never);
    const controller = new AbortController();
    const aborted = content.read(references[1]!, contextOf(controller.signal));
    const last = content.read(references[2]!, never);
    controller.abort(new Error('parked'));
    await expect(aborted).rejects.toThrow('parked');
    first.release();
    (await last).release();
    expect(await codeOf(content.read({ ...references[0]!, sha256: sha256(Buffer.alloc(1)) }, never))).toBe('LS_MEDIA_MISMATCH');
    expect((await content.read(references[1]!, never)).bytes).toEqual(bytes);
    await expect(content.read(references[0]!, contextOf(AbortSignal.abort(new Error('gone'))))).rejects.toThrow('gone');
  });
});
