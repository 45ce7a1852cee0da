// `publish images`, without a `run`: which files are taken, what their events say, what is refused before anything is published.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, realpath, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { expect, test, vi } from 'vitest';
import { writeImageModels } from '../models/image-models.ts';
import { runProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { makeLog, notesConfiguration, objects, succeed, topicContents } from './fixtures.ts';

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

const valuesOf = (records: readonly Record<string, unknown>[]): readonly Record<string, unknown>[] => records.map(({ key, value }) => ({ key, ...(value as object) }));

test('folders are taken whole, in the order of their paths; hidden files, other files and links that lead on are passed over', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${notesConfiguration}transport: { partitionCount: 1 }\n`);
    await writeFiles(directory, {
      'photos/dogs/b.png': png, 'photos/cats/wrong-name.txt': jpeg, 'photos/cats/a.webp': webp, 'photos/top.JPG': jpeg, 'photos/Über uns.png': png,
      'photos/.hidden.png': png, 'photos/.git/x.png': png, 'photos/notes.txt': 'no image', 'photos/empty.png': '', 'photos/page.JPEG': '<html>', 'elsewhere/c.png': png,
      'photos/moving.gif': 'GIF89a',
    });
    await symlink('../elsewhere/c.png', join(directory, 'photos/link.png'));
    await symlink('../elsewhere', join(directory, 'photos/linked-folder'));
    await symlink('nowhere', join(directory, 'photos/dangling.png'));
    await symlink('.', join(directory, 'photos/circle'));
    await symlink('itself.png', join(directory, 'photos/itself.png'));
    execFileSync('mkfifo', [join(directory, 'photos/pipe.png')]);
    await utimes(join(directory, 'photos/dogs/b.png'), 1_600_000_000, 1_600_000_000.5);

    const options = ['--source', 'camera', '--collection', 'mine', '--attribute', 'run=1', '-c', file];
    const { stdout, stderr } = await succeed('publish', 'images', join(directory, 'photos/'), join(directory, 'elsewhere/c.png'), ...options);
    expect(stdout).toBe('published 9 events to media.events\n');
    expect(stderr).toMatch(
      /^passed over what is no JPEG, PNG or WebP image: \S+pipe\.png, \S+moving\.gif, \S+notes\.txt\npassed over links that lead to folders or to nothing: (\S+(circle|dangling\.png|itself\.png|linked-folder)(, |\n)){4}$/,
    );

    const events = valuesOf(await topicContents(file, 'media.events'));
    expect(events.map(({ key }) => key)).toEqual([
      'camera/cats/a.webp', 'camera/cats/wrong-name.txt', 'camera/dogs/b.png', 'camera/empty.png', 'camera/link.png', 'camera/page.JPEG', 'camera/top.JPG', 'camera/Über uns.png', 'camera/c.png',
    ]);
    const event = (id: string) => events.find(({ key }) => key === `camera/${id}`);
    expect(event('dogs/b.png')).toMatchObject({
      id: 'dogs/b.png', source: 'camera', contentType: 'image/png', content: png.toString('base64'), collection: 'mine', tasks: [], deleted: false,
      attributes: { path: 'photos/dogs/b.png', folder: 'dogs', run: '1' }, occurredAt: 1_600_000_000_500,
    });
    expect(event('cats/wrong-name.txt')).toMatchObject({ contentType: 'image/jpeg', attributes: { path: 'photos/cats/wrong-name.txt', folder: 'cats' } });
    expect(event('cats/a.webp')).toMatchObject({ contentType: 'image/webp' });
    // Images by their names alone: EXTRACT will say what is wrong with them.
    expect(event('empty.png')).toMatchObject({ contentType: 'image/png', content: '' });
    expect(event('page.JPEG')).toMatchObject({ contentType: 'image/jpeg', content: Buffer.from('<html>').toString('base64') });
    expect(event('top.JPG')).toMatchObject({ attributes: { path: 'photos/top.JPG', folder: 'photos' } });
    expect(event('c.png')).toMatchObject({ attributes: { path: 'c.png', folder: 'elsewhere' } });

    expect(await objects('publish', 'images', join(directory, 'photos'), '-c', file)).toEqual([{ published: 8, passedOver: 7, topic: 'media.events' }]);
  });
});

test('with --root an image has one id, named by itself or in a folder', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${notesConfiguration}transport: { partitionCount: 1 }\n`);
    await writeFiles(directory, { 'img/red/r0.png': png, 'img/blue/b0.png': png });
    const named = async (...parameters: string[]) => {
      const [said] = await objects('publish', 'images', ...parameters, '--source', 'me', '--dry-run', '-c', file);
      return said?.['items'];
    };
    const [img, image] = [join(directory, 'img'), join(directory, 'img/red/r0.png')];
    expect(await named(img)).toEqual(['me/blue/b0.png', 'me/red/r0.png']);
    expect(await named(image)).toEqual(['me/r0.png']);
    expect(await named(image, '--root', img)).toEqual(['me/red/r0.png']);
    expect(await named(join(img, 'red'), join(img, 'blue/b0.png'), '--root', `${img}/`)).toEqual(['me/red/r0.png', 'me/blue/b0.png']);
    expect(await named(join(img, '../img/red/.'), '--root', directory)).toEqual(['me/img/red/r0.png']);
    expect(await topicContents(file, 'media.events')).toEqual([]);

    await succeed('publish', 'images', img, '--source', 'me', '-c', file);
    expect((await succeed('publish', 'images', image, '--root', img, '--source', 'me', '-c', file)).stdout).toBe('published 1 event to media.events\n');
    const [, inFolder, alone] = valuesOf(await topicContents(file, 'media.events'));
    expect(inFolder).toMatchObject({ key: 'me/red/r0.png', attributes: { path: 'img/red/r0.png', folder: 'red' } });
    expect(alone).toEqual(inFolder);

    const outside = await runProgram('publish', 'images', image, '--root', join(img, 'blue'), '-c', file);
    expect(outside).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/red\/r0\.png does not lie below --root \S+blue \[LS_CLI_USAGE\]/) as string });
  });
});

const clustered = `
dataDirectory: data
server: { enabled: false }
models: { encoder: { directory: colour-encoder } }
routes: [{ name: images, from: media, where: { attributes: { folder: red } }, steps: [{ name: all, task: image-features, model: encoder, collection: colours }] }]
collections: [{ name: colours, eps: 0.1, minPoints: 2 }]
`;

test('--delete takes images out of their collections, gone from the disk or not; a damaged one is a dead letter', async () => {
  await withDirectory(async (directory) => {
    await writeImageModels(directory);
    const file = await writeConfiguration(directory, clustered);
    await writeFiles(directory, { 'img/red/r0.png': png, 'img/red/r1.png': png, 'img/red/r2.png': png, 'img/red/broken.jpg': 'no image at all', 'img/red/empty.png': '' });
    const img = join(directory, 'img');
    const publish = (...parameters: string[]) => runProgram('publish', 'images', ...parameters, '--source', 'me', '-c', file);
    const members = async (): Promise<unknown> => {
      await succeed('run', '--until-idle', '-c', file);
      const [cluster] = await objects('clusters', 'list', '-c', file);
      return cluster === undefined ? 'none' : (await objects('clusters', 'show', String(cluster['id']), '-c', file)).flatMap(({ members: inside }) => (inside as { itemId: string }[]).map(({ itemId }) => itemId));
    };
    expect(await publish(img)).toMatchObject({ code: 0, stdout: 'published 5 events to media.events\n', stderr: '' });
    expect(await members()).toEqual(['me/red/r0.png', 'me/red/r1.png', 'me/red/r2.png']);
    const letters = await objects('dlq', 'list', '-c', file);
    expect(Object.fromEntries(letters.map(({ item, code }) => [item, code]))).toEqual({ 'me/red/broken.jpg': 'LS_IMAGE_FORMAT', 'me/red/empty.png': 'LS_IMAGE_EMPTY' });

    await rm(join(img, 'red/r1.png'));
    const gone = [join(img, 'red/r1.png'), '--root', img, '--delete'];
    expect(await publish(...gone, '--dry-run')).toMatchObject({ code: 0, stdout: 'me/red/r1.png\nwould publish 1 deletion to media.events\n' });
    expect(await members()).toEqual(['me/red/r0.png', 'me/red/r1.png', 'me/red/r2.png']);
    expect(await publish(...gone)).toMatchObject({ code: 0, stdout: 'published 1 deletion to media.events\n', stderr: '' });
    expect(await members()).toEqual(['me/red/r0.png', 'me/red/r2.png']);

    // A folder that is there stands for the images in it.
    expect(await objects('publish', 'images', img, '--delete', '--source', 'me', '-c', file)).toEqual([{ published: 4, deleted: true, passedOver: 0, topic: 'media.events' }]);
    expect(await members()).toBe('none');

    const folder = await publish(join(directory, 'photos'), '--delete');
    expect(folder).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/photos: ENOENT.*\[LS_CLI_FILE\]/) as string });
    const both = await publish(img, '--delete', '--reference');
    expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining('cannot be used with option') as string });
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

test('by the URI at which the images are, an event says the URI of its own, and what is in it', async () => {
  await withDirectory(async (directory) => {
    const media = 'media: { origins: [https://images.example.com], containers: { photos: { containerUrl: "https://shop.blob.core.windows.net/photos", sasToken: sig=x } } }';
    const file = await writeConfiguration(directory, `${notesConfiguration}transport: { recordBytesMax: 1024, partitionCount: 1 }\n${media}\n`);
    const large = await sharp(Buffer.alloc(64 * 64 * 3, 'pattern'), { raw: { width: 64, height: 64, channels: 3 } }).png({ compressionLevel: 0 }).toBuffer();
    await writeFiles(directory, { 'photos/deep/a b?#ü.png': large });
    const bases = ['https://images.example.com', 'https://images.example.com/all/', 'https://images.example.com/all?sig=s%2F1', 'https://shop.blob.core.windows.net/photos/2024'];
    for (const base of bases) await succeed('publish', 'images', join(directory, 'photos'), '--by-reference', base, '-c', file);
    const events = valuesOf(await topicContents(file, 'media.events'));
    const path = 'deep/a%20b%3F%23%C3%BC.png';
    expect(events.map(({ content }) => content)).toEqual(
      [`https://images.example.com/${path}`, `https://images.example.com/all/${path}`, `https://images.example.com/all/${path}?sig=s%2F1`, `https://shop.blob.core.windows.net/photos/2024/${path}`].map((uri) => ({
        uri, sha256: createHash('sha256').update(large).digest('hex'), sizeBytes: large.length,
      })),
    );
    const refused = [
      ['https://elsewhere.example.com', /https:\/\/elsewhere\.example\.com is not among media\.origins/], ['http://images.example.com', /not among media\.origins/],
      [`https://images.example.com/${'long/'.repeat(1_000)}`, /its URI has \d+ characters; at most 4096/],
    ] as const;
    for (const [base, said] of refused) {
      const { code, stderr } = await runProgram('publish', 'images', join(directory, 'photos'), '--by-reference', base, '-c', file);
      expect(code, base).toBe(1);
      expect(stderr).toMatch(said);
    }
    for (const parameters of [['--by-reference', 'photos'], ['--by-reference', 'https://user:secret@images.example.com'], ['--by-reference', bases[0]!, '--reference'], ['--by-reference', bases[0]!, '--delete']]) {
      const { code, stderr } = await runProgram('publish', 'images', join(directory, 'photos'), ...parameters, '-c', file);
      expect(code, parameters.join(' ')).toBe(2);
      expect(stderr).not.toContain('secret');
    }
    expect(await topicContents(file, 'media.events')).toHaveLength(bases.length);
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
  ['a reference to a host where nothing is fetched', ['good', '--by-reference=https://images.example.com'], /good\/a\.png: nothing is fetched/],
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
    await makeLog(file);
    const { code, stdout, stderr } = await runProgram('publish', 'images', ...paths, '-c', file);
    expect({ code, stdout }, stderr).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(said);
    expect(stderr).toMatch(/\[LS_CLI_(FILE|FILE_KIND|INPUT)\]/);
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
