/** What opening and reading do with files that a crash, a bad disk or a person left in another state. */
import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { LogStore } from '../../../src/transports/log/log-store.ts';
import type { TailCut } from '../../../src/transports/log/log-recovery.ts';
import { append, openStore, record, temporaryDirectory, values } from './store-fixture.ts';

const here = { topic: 'labels', partition: 0 };
const partitionPath = join('topics', 'labels-id1', '0');

/** A log with `batches` commits of one record each of about 300 bytes, so that six fill a segment; closed. */
async function writtenLog(batches: number): Promise<{ readonly directory: string; readonly expected: readonly string[] }> {
  const directory = await temporaryDirectory();
  const store = await openStore(directory);
  await store.createTopic('labels', 1);
  const expected = Array.from({ length: batches }, (_, batch) => `${batch} ${'x'.repeat(260)}`);
  for (const value of expected) await append(store, 'labels', 0, value);
  await store.close();
  return { directory, expected };
}

async function change(path: string, offset: number, edit: (byte: number) => number): Promise<void> {
  const content = await readFile(path);
  content[offset] = edit(content[offset] ?? 0);
  await writeFile(path, content);
}

async function flip(path: string, offset: number): Promise<void> {
  await change(path, offset, (byte) => byte ^ 0x40);
}

async function files(directory: string, extension: string): Promise<readonly string[]> {
  const names = await readdir(directory);
  return names.filter((name) => name.endsWith(extension)).map((name) => join(directory, name));
}

async function first(directory: string, extension: string): Promise<string> {
  const [path] = await files(directory, extension);
  if (path === undefined) throw new Error(`no ${extension} in ${directory}`);
  return path;
}

async function last(directory: string, extension: string): Promise<string> {
  const path = (await files(directory, extension)).at(-1);
  if (path === undefined) throw new Error(`no ${extension} in ${directory}`);
  return path;
}

async function withStore<Result>(directory: string, use: (store: LogStore) => Promise<Result>, options = {}): Promise<Result> {
  const store = await openStore(directory, options);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

describe('what a crash leaves', () => {
  test('bytes beyond the committed end are cut, and writing goes on there', async () => {
    const { directory, expected } = await writtenLog(4);
    const active = await last(join(directory, partitionPath), '.log');
    const committed = await readFile(active);
    // A whole, undamaged frame: it counts for nothing, because no journal names it.
    await writeFile(active, Buffer.concat([committed, committed.subarray(24, 24 + 300), Buffer.alloc(100)]));
    const cuts: TailCut[] = [];
    await withStore(
      directory,
      async (store) => {
        expect(await values(store, 'labels', 0)).toEqual(expected);
        await append(store, 'labels', 0, 'next');
        expect(await values(store, 'labels', 0)).toEqual([...expected, 'next']);
      },
      { observer: { tailCut: (cut: TailCut) => cuts.push(cut) } },
    );
    expect(cuts).toEqual([{ file: active, bytes: 400 }]);
    await withStore(directory, async (store) => expect(await values(store, 'labels', 0)).toEqual([...expected, 'next']));
  });

  test('a segment that was begun and never committed is removed; files of other names stay', async () => {
    const { directory, expected } = await writtenLog(4);
    const leftover = join(directory, partitionPath, '00000000000000000004.log');
    const foreign = ['notes.txt', '00000000000000000004.log.bak', '4.log', 'lost+found'].map((name) => join(directory, partitionPath, name));
    await writeFile(leftover, 'torn');
    for (const path of foreign) await writeFile(path, 'mine');
    await writeFile(join(directory, 'journal', 'readme'), 'mine');
    await mkdir(join(directory, 'topics', 'labels-other'));
    await withStore(directory, async (store) => {
      expect(await values(store, 'labels', 0)).toEqual(expected);
      await append(store, 'labels', 0, 'next');
    });
    const names = await readdir(join(directory, partitionPath));
    expect(names).not.toContain('00000000000000000004.log');
    expect(names).toEqual(expect.arrayContaining(foreign.map((path) => path.slice(join(directory, partitionPath).length + 1))));
    expect(await readdir(join(directory, 'journal'))).toContain('readme');
  });

  test.each([
    ['cut off', (frame: Buffer) => frame.subarray(0, frame.length - 1)],
    ['cut off in its prefix', (frame: Buffer) => frame.subarray(0, 5)],
    ['zeros', (frame: Buffer) => Buffer.alloc(frame.length)],
    ['torn in the middle', (frame: Buffer) => Buffer.concat([frame.subarray(0, 40), Buffer.alloc(frame.length - 40)])],
    ['torn at its start', (frame: Buffer) => Buffer.concat([Buffer.alloc(40), frame.subarray(40)])],
  ])('a torn last journal frame is cut: %s', async (_name, tear) => {
    const { directory, expected } = await writtenLog(4);
    const journal = await first(join(directory, 'journal'), '.journal');
    const content = await readFile(journal);
    const start = content.lastIndexOf(Buffer.from([0xf5, 0x4c, 0x4a, 0x46]));
    const end = start + 12 + content.readUInt32BE(start + 8);
    // The file is longer, filled with zeros: that is no cut.
    expect(content.length).toBeGreaterThan(end);
    const torn = tear(content.subarray(start, end));
    await writeFile(journal, Buffer.concat([content.subarray(0, start), torn, content.subarray(end)]));
    const cuts: TailCut[] = [];
    await withStore(
      directory,
      async (store) => {
        expect(await values(store, 'labels', 0)).toEqual(expected.slice(0, 3));
        await append(store, 'labels', 0, 'next');
      },
      { observer: { tailCut: (cut: TailCut) => cuts.push(cut) } },
    );
    // The record that the torn frame would have named goes too.
    const active = join(directory, partitionPath, '00000000000000000000.log');
    const tornBytes = torn.toString('latin1').replace(/\0+$/, '').length;
    expect(cuts).toEqual([...(tornBytes > 0 ? [{ file: journal, bytes: tornBytes }] : []), { file: active, bytes: 32 + 262 }]);
    await withStore(directory, async (store) => expect(await values(store, 'labels', 0)).toEqual([...expected.slice(0, 3), 'next']));
  });

  test.each([
    ['empty', (): Buffer => Buffer.alloc(0)],
    ['zeros', (): Buffer => Buffer.alloc(500)],
    ['a torn state', (content: Buffer): Buffer => content.subarray(0, 60)],
    ['a state without its header', (content: Buffer): Buffer => Buffer.concat([Buffer.alloc(10), content.subarray(10)])],
  ])('a journal roll that was cut off leaves the older journal in charge: %s', async (_name, tear) => {
    const { directory, expected } = await writtenLog(2);
    const older = await first(join(directory, 'journal'), '.journal');
    const kept = await readFile(older);
    await withStore(directory, () => Promise.resolve());
    const newer = await first(join(directory, 'journal'), '.journal');
    expect(newer > older).toBe(true);
    await writeFile(older, kept);
    await writeFile(newer, tear(await readFile(newer)));
    await withStore(directory, async (store) => expect(await values(store, 'labels', 0)).toEqual(expected));
    expect(await files(join(directory, 'journal'), '.journal')).toHaveLength(1);
  });

  test('an older journal that came back is not believed', async () => {
    const { directory, expected } = await writtenLog(2);
    const older = await first(join(directory, 'journal'), '.journal');
    const kept = await readFile(older);
    await withStore(directory, (store) => append(store, 'labels', 0, 'later'));
    await writeFile(older, kept);
    await withStore(directory, async (store) => expect(await values(store, 'labels', 0)).toEqual([...expected, 'later']));
  });

  test('a crash while the directory was made leaves an empty log', async () => {
    const directory = await temporaryDirectory();
    await mkdir(join(directory, 'journal'), { recursive: true });
    await writeFile(join(directory, 'journal', '00000000000000000001.journal'), 'LSTR');
    await withStore(directory, async (store) => {
      expect(await store.topics()).toEqual([]);
      await store.createTopic('labels', 1);
    });
    await withStore(directory, async (store) => expect(await store.topics()).toHaveLength(1));
  });
});

describe('damage stops with file and position', () => {
  test('a record of the active segment: at opening', async () => {
    const { directory } = await writtenLog(4);
    const active = await last(join(directory, partitionPath), '.log');
    const second = 24 + 32 + 262;
    await flip(active, second + 100);
    await expect(openStore(directory)).rejects.toMatchObject({ code: 'LS_LOG_CORRUPT', details: { file: active, position: second } });
  });

  test('a record of a closed segment: when it is read', async () => {
    const { directory, expected } = await writtenLog(20);
    const closed = await first(join(directory, partitionPath), '.log');
    const second = 24 + 32 + 262;
    await flip(closed, second + 100);
    await withStore(directory, async (store) => {
      const damage = { code: 'LS_LOG_CORRUPT', details: { file: closed, position: second } };
      expect(await store.read(here, 0n, { records: 1, bytes: 1000 })).toHaveLength(1);
      await expect(store.read(here, 1n, { records: 1, bytes: 1000 })).rejects.toMatchObject(damage);
      // Beyond the damage, and in other segments, reading goes on; so does writing.
      expect((await store.read(here, 18n, { records: 1, bytes: 1000 }))[0]?.value.toString()).toBe(expected[18]);
      await append(store, 'labels', 0, 'next');
    });
  });

  test('a closed segment whose index has to be made again', async () => {
    const { directory } = await writtenLog(20);
    const closed = await first(join(directory, partitionPath), '.log');
    await rm(await first(join(directory, partitionPath), '.index'));
    const third = 24 + 2 * (32 + 262);
    await flip(closed, third + 10);
    await withStore(directory, async (store) => {
      await expect(store.read(here, 0n, { records: 1, bytes: 1000 })).rejects.toMatchObject({
        code: 'LS_LOG_CORRUPT',
        details: { file: closed, position: third },
      });
    });
  });

  test.each([
    ['active', last, 'open'],
    ['closed', first, 'read'],
  ] as const)('a segment shorter than committed: %s', async (_name, pick, when) => {
    const { directory } = await writtenLog(20);
    const path = await pick(join(directory, partitionPath), '.log');
    await truncate(path, 100);
    const damage = { code: 'LS_LOG_CORRUPT', details: { file: path, position: 100 } };
    if (when === 'open') await expect(openStore(directory)).rejects.toMatchObject(damage);
    else await withStore(directory, (store) => expect(store.read(here, 0n, { records: 1, bytes: 1 })).rejects.toMatchObject(damage));
  });

  test.each([
    ['active', last],
    ['closed', first],
  ] as const)('a segment that is gone: %s', async (_name, pick) => {
    const { directory } = await writtenLog(20);
    const path = await pick(join(directory, partitionPath), '.log');
    await rm(path);
    await expect(openStore(directory)).rejects.toMatchObject({ code: 'LS_LOG_CORRUPT', details: { file: path, position: 0 } });
  });

  test('a segment that goes while the log is open', async () => {
    const { directory } = await writtenLog(20);
    const path = await first(join(directory, partitionPath), '.log');
    await withStore(directory, async (store) => {
      await rm(path);
      await expect(store.read(here, 0n, { records: 1, bytes: 1 })).rejects.toMatchObject({ code: 'LS_LOG_CORRUPT', details: { file: path } });
    });
  });

  test('a segment under the name of another', async () => {
    const { directory } = await writtenLog(20);
    const [one, two] = await files(join(directory, partitionPath), '.log');
    await writeFile(one ?? '', await readFile(two ?? ''));
    await withStore(directory, (store) =>
      expect(store.read(here, 0n, { records: 1, bytes: 1 })).rejects.toMatchObject({ code: 'LS_LOG_CORRUPT', details: { file: one, position: 0 } }),
    );
  });

  test('a journal frame that is bad though a good one follows', async () => {
    const { directory } = await writtenLog(4);
    const journal = await first(join(directory, 'journal'), '.journal');
    const content = await readFile(journal);
    const magic = Buffer.from([0xf5, 0x4c, 0x4a, 0x46]);
    const state = content.indexOf(magic);
    const second = content.indexOf(magic, state + 1);
    for (const [position, offset] of [
      [second, second + 30],
      [second, second + 9],
      [24, state + 30],
      [0, 3],
    ] as const) {
      await writeFile(journal, content);
      await flip(journal, offset);
      await expect(openStore(directory)).rejects.toMatchObject({ code: 'LS_LOG_CORRUPT', details: { file: journal, position } });
    }
  });

  test('a journal from which a frame was taken out', async () => {
    const { directory } = await writtenLog(4);
    const journal = await first(join(directory, 'journal'), '.journal');
    const content = await readFile(journal);
    const magic = Buffer.from([0xf5, 0x4c, 0x4a, 0x46]);
    const second = content.indexOf(magic, content.indexOf(magic) + 1);
    const third = content.indexOf(magic, second + 1);
    await writeFile(journal, Buffer.concat([content.subarray(0, second), content.subarray(third)]));
    await expect(openStore(directory)).rejects.toMatchObject({ code: 'LS_LOG_CORRUPT', details: { file: journal, position: second } });
  });

  test('topics without a journal', async () => {
    const { directory } = await writtenLog(1);
    await rm(join(directory, 'journal'), { recursive: true });
    await expect(openStore(directory)).rejects.toMatchObject({ code: 'LS_LOG_CORRUPT', details: { file: join(directory, 'journal') } });
  });

  test('a partition that is gone', async () => {
    const directory = await temporaryDirectory();
    await withStore(directory, (store) => store.createTopic('labels', 1));
    await rm(join(directory, partitionPath), { recursive: true });
    await expect(openStore(directory)).rejects.toMatchObject({ code: 'LS_LOG_CORRUPT', details: { file: join(directory, partitionPath) } });
  });

  test.each([
    ['journal', 'journal'],
    ['segment', partitionPath],
  ])('a %s of a later format is refused, not repaired', async (_name, folder) => {
    const { directory } = await writtenLog(2);
    const [path] = (await files(join(directory, folder), '')).filter((name) => /\.(log|journal)$/.test(name));
    const content = await readFile(path ?? '');
    content.writeUInt32BE(3, 8);
    content.writeUInt32BE(crc32(content.subarray(0, 20)), 20);
    await writeFile(path ?? '', content);
    await expect(openStore(directory)).rejects.toMatchObject({ code: 'LS_LOG_FORMAT', details: { file: path } });
    expect(await readFile(path ?? '')).toEqual(content);
  });

  test('a directory that cannot be one', async () => {
    const directory = await temporaryDirectory();
    await mkdir(join(directory, '..'), { recursive: true });
    await writeFile(directory, 'a file');
    await expect(openStore(directory)).rejects.toMatchObject({ code: 'LS_LOG_UNREADABLE' });
  });
});

describe('indexes', () => {
  test.each([
    ['missing', (path: string) => rm(path)],
    ['empty', (path: string) => writeFile(path, '')],
    ['damaged', (path: string) => flip(path, 50)],
    ['cut off', (path: string) => truncate(path, 45)],
    ['of another segment', async (path: string) => writeFile(path, await readFile(path.replace(/(\d{20})/, (name) => (BigInt(name) + 6n).toString().padStart(20, '0'))))],
  ])('are made again when %s', async (_name, damage) => {
    const { directory, expected } = await writtenLog(40);
    const index = await first(join(directory, partitionPath), '.index');
    const good = await readFile(index);
    await damage(index);
    const rebuilt: string[] = [];
    await withStore(directory, async (store) => expect(await values(store, 'labels', 0)).toEqual(expected), {
      observer: { indexRebuilt: (file: string) => rebuilt.push(file) },
    });
    expect(rebuilt).toEqual([index]);
    expect(await readFile(index)).toEqual(good);
  });

  test('that cannot be written do not matter', async () => {
    const { directory, expected } = await writtenLog(20);
    const index = await first(join(directory, partitionPath), '.index');
    await rm(index);
    await mkdir(index);
    await withStore(directory, async (store) => expect(await values(store, 'labels', 0)).toEqual(expected));
  });

  test('lead to the record even in a segment of many', async () => {
    const directory = await temporaryDirectory();
    const limits = { segmentBytes: 1_000_000, journalBytes: 100_000, recordBytes: 1000, groupCommit: { transactions: 10, records: 10, bytes: 10 }, openClosedSegments: 2 };
    await withStore(
      directory,
      async (store) => {
        await store.createTopic('labels', 1);
        const all = Array.from({ length: 30_000 }, (_, place) => record('labels', 0, `${place}`));
        await store.commit({ records: all, checkpoints: [] });
        for (let place = 0; place < all.length; place += 611) {
          const [found] = await store.read(here, BigInt(place), { records: 1, bytes: 1 });
          expect(found?.value.toString()).toBe(`${place}`);
        }
      },
      { limits },
    );
  });
});
