// `models pull` as a process: what it says, and what is left of it when it is killed.
import { cp, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { commit, sha256, smallRepository, startHub } from '../hub/hub-server.ts';
import { jsonLines, repository, runProgram, startProgram, withDirectory } from '../service/program.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

const asked = ['models', 'pull', 'acme/encoder', '--revision', commit] as const;

test('tells what it fetched and what to do next, on pipes in lines, and never the token', async () => {
  const hub = await startHub();
  await withDirectory(async (directory) => {
    const to = join(directory, 'encoder');
    const first = await startProgram([...asked, '--to', to, '--from', hub.origin], { HF_TOKEN: 'hf_secret' }).finished;
    expect({ code: first.code, stdout: first.stdout }).toEqual({
      code: 0,
      stdout:
        `acme/encoder at ${commit}: 3 files, 50.1 kB, in ${to}\n` +
        `what each file is stands in ${to}.lock.json\n` +
        `next: labelstream models import ${to} --to models/encoder --licence apache-2.0 --source acme/encoder@${commit}\n`,
    });
    expect(first.stderr).toBe(`acme/encoder at ${commit}: 3 files, 50.1 kB\nconfig.json: 21 B\nREADME.md: 38 B\nonnx/model.onnx: 50.0 kB\n`);
    expect(hub.requests[0]?.headers.authorization).toBe('Bearer hf_secret');
    expect(await readFile(`${to}.lock.json`, 'utf8')).not.toContain('hf_secret');
    const second = await runProgram(...asked, '--to', to, '--from', hub.origin, '--json');
    expect(jsonLines(second.stdout)).toMatchObject([{ repository: 'acme/encoder', revision: commit, fetchedFiles: 0, sizeBytes: 50_059, lock: `${to}.lock.json` }]);
  });
});

test('killed in the midst of a file, as often as one likes, it goes on where it was', async () => {
  const large = Buffer.from(Array.from({ length: 600_000 }, (_, index) => (index * 31) % 253));
  const files = { ...smallRepository, 'onnx/model.onnx': large };
  const starts: number[] = [];
  const hub = await startHub({
    files,
    before: (request, response) => {
      if (!(request.url ?? '').endsWith('/model.onnx')) return false;
      const [, first = '0'] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? [];
      const start = Number(first);
      starts.push(start);
      const etag = `"${sha256(large)}"`;
      response.writeHead(start > 0 ? 206 : 200, { etag, 'content-length': large.length - start, ...(start > 0 ? { 'content-range': `bytes ${start}-${large.length - 1}/${large.length}` } : {}) });
      // A few pieces, then nothing until it is asked again; the third time everything.
      if (starts.length > 2) response.end(large.subarray(start));
      else response.write(large.subarray(start, start + 200_000));
      return true;
    },
  });
  await withDirectory(async (directory) => {
    const to = join(directory, 'encoder');
    const parts = join(directory, '.encoder.pull', commit, 'parts');
    const parameters = [...asked, '--to', to, '--from', hub.origin];
    for (const bytes of [200_000, 400_000]) {
      const pulling = startProgram(parameters);
      await vi.waitFor(async () => expect(await partBytes(parts)).toBe(bytes), { timeout: 60_000, interval: 20 });
      pulling.kill('SIGKILL');
      expect((await pulling.finished).signal).toBe('SIGKILL');
      expect(await readdir(directory)).toEqual(['.encoder.pull']);
    }
    expect(await runProgram(...parameters)).toMatchObject({ code: 0, stderr: expect.stringContaining('config.json: 21 B, is there already') as string });
    expect(starts).toEqual([0, 200_000, 400_000]);
    expect(sha256(await readFile(join(to, 'onnx/model.onnx')))).toBe(sha256(large));
    expect((await readdir(directory)).sort()).toEqual(['encoder', 'encoder.lock.json']);
  });
});

/** Of the file that is on its way. */
async function partBytes(parts: string): Promise<number> {
  const names = await readdir(parts).catch(() => []);
  const sizes = await Promise.all(names.filter((name) => !name.endsWith('.json')).map(async (name) => (await stat(join(parts, name)).catch(() => ({ size: 0 }))).size));
  return sizes.reduce((total, size) => total + size, 0);
}

test('what is pulled from a directory is imported by the command that it names, and answers', async () => {
  await withDirectory(async (directory) => {
    const base = join(directory, 'hub/acme/captioner/resolve', commit);
    await mkdir(join(directory, 'hub/acme/captioner/resolve'), { recursive: true });
    await cp(join(repository, 'test/models/tiny/vit-gpt2'), base, { recursive: true });
    await rm(join(base, 'goldens.json'));
    const to = join(directory, 'captioner');
    const pulled = await runProgram('models', 'pull', 'acme/captioner', '--revision', commit, '--to', to, '--from', join(directory, 'hub'), '--json');
    const [, , ...words] = String(jsonLines(pulled.stdout)[0]?.['import']).split(' ');
    const model = join(directory, 'model');
    const parameters = words.map((word) => (word === 'models/captioner' ? model : word === 'LICENCE' ? 'Apache-2.0' : word));
    const imported = await runProgram('models', ...parameters, '--json');
    expect(jsonLines(imported.stdout)).toMatchObject([{ tasks: ['image-captioning', 'conditional-image-captioning'], architecture: 'vit-gpt2', knownAnswers: 4 }]);
    expect((await runProgram('task', 'image-captioning', join(repository, 'test/models/tiny/inputs/circles.png'), '--model', model)).code).toBe(0);
  });
});

test.each([
  [['--revision', 'main'], 1, 'LS_PULL_NOT_FOUND'],
  [['--revision', commit, '--from', '/nowhere'], 1, 'LS_PULL_NOT_FOUND'],
  [[], 2, "required option '--revision <commit>'"],
])('refuses %j', async (options, code, said) => {
  await withDirectory(async (directory) => {
    const finished = await runProgram('models', 'pull', 'acme/encoder', '--to', join(directory, 'x'), ...options);
    expect(finished).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(said) as string });
  });
});
