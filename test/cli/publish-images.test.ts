// `publish images`, without a `run`: which files are taken, what their events say, what is refused before anything is published.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, realpath, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { expect, test, vi } from 'vitest';
import { runProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { notesConfiguration, objects, succeed, topicContents } from './fixtures.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

const plain = (red: number) => sharp({ create: { width: 4, height: 4, channels: 3, background: { r: red, g: 0, b: 0 } } });
const png = await plain(1).png().toBuffer();
const jpeg = await plain(2).jpeg().toBuffer();
const webp = await plain(3).webp().toBuffer();

async function writeFiles(directory: string, files: Readonly<Record<string, Uint8Array | string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), content);
  }
}

const valuesOf = (records: readonly Record<string, unknown>[]) => records.map(({ key, value }) => ({ key, ...(value as object) }));

test('folders are taken whole, in the order of their paths; hidden and other files are passed over', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${notesConfiguration}transport: { partitionCount: 1 }\n`);
    await writeFiles(directory, {
      'photos/dogs/b.png': png, 'photos/cats/wrong-name.txt': jpeg, 'photos/cats/a.webp': webp, 'photos/top.JPG': jpeg, 'photos/Über uns.png': png,
      'photos/.hidden.png': png, 'photos/.git/x.png': png, 'photos/notes.txt': 'no image', 'photos/empty.png': '', 'elsewhere/c.png': png,
      'photos/moving.gif': 'GIF89a',
    });
    await symlink('../elsewhere/c.png', join(directory, 'photos/link.png'));
    await symlink('../elsewhere', join(directory, 'photos/linked-folder'));
    await symlink('nowhere', join(directory, 'photos/dangling.png'));
    execFileSync('mkfifo', [join(directory, 'photos/pipe.png')]);
    await utimes(join(directory, 'photos/dogs/b.png'), 1_600_000_000, 1_600_000_000.5);

    const options = ['--source', 'camera', '--collection', 'mine', '--attribute', 'run=1', '-c', file];
    const { stdout, stderr } = await succeed('publish', 'images', join(directory, 'photos/'), join(directory, 'elsewhere/c.png'), ...options);
    expect(stdout).toBe('published 7 events to media.events\n');
    expect(stderr).toMatch(/^passed over what is no JPEG, PNG or WebP image: \S+empty\.png, \S+moving\.gif, \S+notes\.txt\n$/);

    const events = valuesOf(await topicContents(file, 'media.events'));
    expect(events.map(({ key }) => key)).toEqual([
      'camera/cats/a.webp', 'camera/cats/wrong-name.txt', 'camera/dogs/b.png', 'camera/link.png', 'camera/top.JPG', 'camera/Über uns.png', 'camera/c.png',
    ]);
    const event = (id: string) => events.find(({ key }) => key === `camera/${id}`);
    expect(event('dogs/b.png')).toMatchObject({
      id: 'dogs/b.png', source: 'camera', contentType: 'image/png', content: png.toString('base64'), collection: 'mine', tasks: [], deleted: false,
      attributes: { path: 'photos/dogs/b.png', folder: 'dogs', run: '1' }, occurredAt: 1_600_000_000_500,
    });
    expect(event('cats/wrong-name.txt')).toMatchObject({ contentType: 'image/jpeg', attributes: { path: 'photos/cats/wrong-name.txt', folder: 'cats' } });
    expect(event('cats/a.webp')).toMatchObject({ contentType: 'image/webp' });
    expect(event('top.JPG')).toMatchObject({ attributes: { path: 'photos/top.JPG', folder: 'photos' } });
    expect(event('c.png')).toMatchObject({ attributes: { path: 'c.png', folder: 'elsewhere' } });

    expect(await objects('publish', 'images', join(directory, 'photos'), '-c', file)).toEqual([{ published: 6, passedOver: 3, topic: 'media.events' }]);
  });
});

test('what has a name that is no UTF-8 is passed over by that name; the rest is published', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration);
    await writeFiles(directory, { 'photos/a.png': png, 'photos/good \ufffd.png': png });
    const inLatin1 = (name: string): Buffer => Buffer.from(`${directory}/photos/${name}`, 'latin1');
    await writeFile(inLatin1('caf\u00e9.png'), png);
    await mkdir(inLatin1('\u00dcber'));
    await writeFile(inLatin1('\u00dcber/b.png'), png);
    await writeFile(inLatin1('.\u00fc.png'), png);
    const { stdout, stderr } = await succeed('publish', 'images', join(directory, 'photos'), '-c', file);
    expect(stdout).toBe('published 2 events to media.events\n');
    expect(stderr).toMatch(/^passed over what has a name that is no UTF-8, and so no id; rename it: \S+caf\ufffd\.png, \S+\ufffdber\n$/);
    expect(await objects('publish', 'images', join(directory, 'photos'), '-c', file)).toEqual([{ published: 2, passedOver: 2, topic: 'media.events' }]);
    expect(new Set((await topicContents(file, 'media.events')).map(({ key }) => key))).toEqual(new Set(['publish/a.png', 'publish/good \ufffd.png']));
  });
});

test.each([
  ['a path that is too long for an id', 2_097_152, `${'folder'.repeat(30)}/`.repeat(3), 100, /\.png: the field id has \d+ characters; 1 to 512 are allowed/],
  ['an image that is too large by what is around it', 4_096, '', 4_000, /last\.png: the event has \d+ bytes; at most 4096 are allowed/],
])('%s is refused before the first batch, however many come before it', async (_name, recordBytesMax, folder, sizeBytes, said) => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${notesConfiguration}transport: { recordBytesMax: ${recordBytesMax} }\n`);
    const names = Array.from({ length: 600 }, (_, index) => `photos/${index}.png`);
    await writeFiles(directory, Object.fromEntries(names.map((name) => [name, png])));
    await writeFiles(directory, { [`photos/${folder}last.png`]: Buffer.concat([png, Buffer.alloc(sizeBytes - png.length)]) });
    const { code, stdout, stderr } = await runProgram('publish', 'images', join(directory, 'photos'), '-c', file);
    expect({ code, stdout }, stderr).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(said);
    expect(stderr).not.toContain('published before the failure');
    expect(await topicContents(file, 'media.events')).toEqual([]);
  });
});

test('by reference, an event says where the file really is, and what is in it', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${notesConfiguration}transport: { recordBytesMax: 1024 }\nmedia: { directories: [photos] }\n`);
    const large = await sharp(Buffer.alloc(64 * 64 * 3, 'pattern'), { raw: { width: 64, height: 64, channels: 3 } }).png({ compressionLevel: 0 }).toBuffer();
    await writeFiles(directory, { 'photos/a b.png': large });
    await symlink('photos', join(directory, 'link'));
    await succeed('publish', 'images', join(directory, 'link'), '--reference', '-c', file);
    const [event] = valuesOf(await topicContents(file, 'media.events'));
    expect(event).toMatchObject({
      key: 'publish/a b.png',
      attributes: { path: 'link/a b.png', folder: 'link' },
      content: {
        uri: pathToFileURL(join(await realpath(directory), 'photos/a b.png')).href,
        sha256: createHash('sha256').update(large).digest('hex'),
        sizeBytes: large.length,
      },
    });
  });
});

test.each([
  ['a file that is not there', ['none.png'], /none\.png: ENOENT/],
  ['a file that is no image', ['good', 'text.png'], /text\.png: this is no JPEG, PNG or WebP image/],
  ['a pipe', ['pipe'], /pipe: this is neither a file nor a folder/],
  ['two images of one id', ['good', 'too'], /good\/a\.png and \S+too\/a\.png would have the same id a\.png/],
  ['an image beyond the limit of a record', ['good', 'large.png'], /large\.png: the event has more than \d+ bytes; at most 2048 are allowed\. Publish it with --reference/],
  ['an image beyond the limit of a record by what is around it', ['good', 'tight.png'], /tight\.png: the event has \d+ bytes; at most 2048 are allowed/],
  ['an image beyond the limit of content', ['huge.png', '--reference'], /huge\.png: the image has \d+ bytes; media\.bytesMax allows 20000/],
  ['a reference to what is not below an allowed directory', ['good', '--reference'], /good\/a\.png: it does not lie below one of media\.directories/],
  ['a reference through a link that leaves', ['allowed', '--reference'], /allowed\/link\.png: it does not lie below one of media\.directories/],
])('%s is refused, and nothing is published', async (_name, parameters, said) => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${notesConfiguration}transport: { recordBytesMax: 2048 }\nmedia: { directories: [allowed], bytesMax: 20000 }\n`);
    const padded = (length: number): Buffer => Buffer.concat([png, Buffer.alloc(length - png.length)]);
    await writeFiles(directory, {
      'good/a.png': png, 'too/a.png': png, 'text.png': 'text', 'large.png': padded(3_000), 'tight.png': padded(2_000), 'huge.png': padded(20_001), 'allowed/ok.png': png,
    });
    await symlink('../good/a.png', join(directory, 'allowed/link.png'));
    execFileSync('mkfifo', [join(directory, 'pipe')]);
    const paths = parameters.map((parameter) => (parameter.startsWith('-') ? parameter : join(directory, parameter)));
    const { code, stdout, stderr } = await runProgram('publish', 'images', ...paths, '-c', file);
    expect({ code, stdout }, stderr).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(said);
    expect(stderr).toMatch(/\[LS_CLI_(FILE|INPUT)\]/);
    expect(await topicContents(file, 'media.events')).toEqual([]);
  });
});

test('an allowed directory that is not there, and a task that does not take images, are mistakes of the configuration', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `
dataDirectory: data
media: { directories: [none] }
models: { notes: { directory: MODELS/banknote-classifier } }
routes:
  - { name: images, from: media, where: { language: en }, steps: [{ name: predict, task: record-prediction, model: notes }] }
  - { name: texts, from: text, steps: [{ name: classify, task: image-classification, model: notes }] }
`);
    const { code, stderr } = await runProgram('validate', '-c', file);
    expect(code).toBe(78);
    expect(stderr).toMatch(/:6: .*the task record-prediction does not take media events \[LS_CONFIG_COMBINATION\]\n {2}Use it in a route from: record/);
    expect(stderr).toMatch(/:7: .*the task image-classification does not take text events \[LS_CONFIG_COMBINATION\]\n {2}Use it in a route from: media/);
    expect(stderr).toMatch(/:6: .*media events have no language/);
    const correct = await writeConfiguration(directory, `${notesConfiguration}media: { directories: [none] }\n`);
    const missing = await runProgram('validate', '-c', correct);
    expect(missing.code).toBe(78);
    expect(missing.stderr).toMatch(/:6: media\.directories\[0\]: ENOENT.*none'.* \[LS_MEDIA_UNAVAILABLE\]/);
  });
});
