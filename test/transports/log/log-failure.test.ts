/** After the disk refused, nothing is written any more, what was committed can be read, and the error tells what became of the transaction. */
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { append, openStore, record, smallLimits, temporaryDirectory, values } from './store-fixture.ts';
import { createRefusingFileSystem, type DiskCall } from './refusing-file-system.ts';

const refusals = [
  ['a write of records: ENOSPC', 'ENOSPC', (call: DiskCall) => call.call === 'write' && call.path.endsWith('.log'), 'not-committed'],
  ['a write of records: EIO', 'EIO', (call: DiskCall) => call.call === 'write' && call.path.endsWith('.log'), 'not-committed'],
  ['a synchronisation of records: EIO', 'EIO', (call: DiskCall) => call.call === 'dataSync' && call.path.endsWith('.log'), 'not-committed'],
  ['a write of the journal: ENOSPC', 'ENOSPC', (call: DiskCall) => call.call === 'write' && call.path.endsWith('.journal'), 'unknown'],
  ['a synchronisation of the journal: EIO', 'EIO', (call: DiskCall) => call.call === 'dataSync' && call.path.endsWith('.journal'), 'unknown'],
] as const;

describe('a refusal of the disk', () => {
  test.each(refusals)('%s', async (_name, code, concerned, outcome) => {
    const directory = await temporaryDirectory();
    const fileSystem = createRefusingFileSystem();
    const failures: Error[] = [];
    const store = await openStore(directory, { fileSystem, observer: { failed: (error) => failures.push(error) } });
    await store.createTopic('labels', 2);
    await append(store, 'labels', 0, 'before');
    fileSystem.refuse((call) => (concerned(call) ? code : undefined));
    const transaction = {
      records: [record('labels', 0, 'refused'), record('labels', 1, 'refused')],
      checkpoints: [{ group: 'g', topic: 'labels', partition: 0, nextSequence: 1n, metadata: '' }],
    };
    await expect(store.commit(transaction)).rejects.toMatchObject({ code: 'LS_LOG_FAILED', details: { outcome }, cause: { code } });
    expect(failures).toHaveLength(1);

    // The disk is well again, but what it forgot in the meantime nobody knows.
    fileSystem.refuse(() => undefined);
    const writesBefore = fileSystem.calls.filter((call) => call.call === 'write').length;
    await expect(append(store, 'labels', 1, 'later')).rejects.toMatchObject({ code: 'LS_LOG_FAILED', details: { outcome: 'not-committed' } });
    await expect(store.createTopic('other', 1)).rejects.toMatchObject({ code: 'LS_LOG_FAILED' });
    expect(fileSystem.calls.filter((call) => call.call === 'write').length).toBe(writesBefore);
    expect(await values(store, 'labels', 0)).toEqual(['before']);
    expect(await store.bounds({ topic: 'labels', partition: 1 })).toEqual({ startSequence: 0n, endSequence: 0n });
    expect(await store.checkpoint('g', { topic: 'labels', partition: 0 })).toBeUndefined();
    await store.close();

    const reopened = await openStore(directory);
    const found = await values(reopened, 'labels', 1);
    const whole = found.length > 0;
    if (outcome === 'not-committed') expect(found).toEqual([]);
    expect(await values(reopened, 'labels', 0)).toEqual(whole ? ['before', 'refused'] : ['before']);
    expect((await reopened.checkpoint('g', { topic: 'labels', partition: 0 })) !== undefined).toBe(whole);
    await append(reopened, 'labels', 0, 'after');
    expect((await values(reopened, 'labels', 0)).at(-1)).toBe('after');
    await reopened.close();
    expect(fileSystem.openHandles()).toBe(0);
  });

  test.each([
    ['making the file of a new segment', 'open', (path: string) => path.endsWith('.log')],
    ['synchronising the directory of a new segment', 'directorySync', (path: string) => path.endsWith('/0')],
  ] as const)('%s', async (_name, call, concerned) => {
    const directory = await temporaryDirectory();
    const fileSystem = createRefusingFileSystem();
    const store = await openStore(directory, { fileSystem });
    await store.createTopic('labels', 1);
    await append(store, 'labels', 0, 'x'.repeat(smallLimits.segmentBytes));
    fileSystem.refuse((made) => (made.call === call && concerned(made.path) ? 'ENOSPC' : undefined));
    await expect(append(store, 'labels', 0, 'next')).rejects.toMatchObject({ code: 'LS_LOG_FAILED', details: { outcome: 'not-committed' } });
    fileSystem.refuse(() => undefined);
    await store.close();
    const reopened = await openStore(directory);
    expect(await values(reopened, 'labels', 0)).toHaveLength(1);
    await append(reopened, 'labels', 0, 'next');
    expect(await values(reopened, 'labels', 0)).toHaveLength(2);
    await reopened.close();
  });

  test('all that share the round hear of it, and all that wait behind it', async () => {
    const fileSystem = createRefusingFileSystem();
    const store = await openStore(await temporaryDirectory(), {
      fileSystem,
      limits: { ...smallLimits, groupCommit: { transactions: 2, records: 100, bytes: 100_000 } },
    });
    await store.createTopic('labels', 1);
    fileSystem.refuse((call) => (call.call === 'dataSync' ? 'EIO' : undefined));
    const results = await Promise.allSettled([1, 2, 3, 4, 5].map((value) => append(store, 'labels', 0, `${value}`)));
    expect(results.map((result) => result.status)).toEqual(Array.from({ length: 5 }, () => 'rejected'));
    expect(fileSystem.calls.filter((call) => call.call === 'dataSync' && call.path.endsWith('.log'))).toHaveLength(1);
    await store.close();
  });

  test('making a topic: it is not there afterwards, and can be made', async () => {
    const directory = await temporaryDirectory();
    const fileSystem = createRefusingFileSystem();
    const store = await openStore(directory, { fileSystem });
    fileSystem.refuse((call) => (call.call === 'makeDirectory' ? 'ENOSPC' : undefined));
    await expect(store.createTopic('labels', 2)).rejects.toMatchObject({ code: 'LS_LOG_FAILED', details: { outcome: 'not-committed' } });
    expect(await store.topics()).toEqual([]);
    await store.close();
    const reopened = await openStore(directory);
    await reopened.createTopic('labels', 3);
    expect(await reopened.topics()).toHaveLength(1);
    await reopened.close();
  });

  test('in a journal roll: what was acknowledged stays, the old journal is not written to any more', async () => {
    const directory = await temporaryDirectory();
    const fileSystem = createRefusingFileSystem();
    const failures: Error[] = [];
    const store = await openStore(directory, {
      fileSystem,
      limits: { ...smallLimits, journalBytes: 500 },
      observer: { failed: (error) => failures.push(error) },
    });
    await store.createTopic('labels', 1);
    fileSystem.refuse((call) => (call.call === 'open' && call.path.endsWith('.journal') ? 'ENOSPC' : undefined));
    let acknowledged = 0;
    while (failures.length === 0) {
      await append(store, 'labels', 0, `${acknowledged}`).then(
        () => (acknowledged += 1),
        (error: unknown) => expect(error).toMatchObject({ code: 'LS_LOG_FAILED' }),
      );
    }
    const journalWrites = (): number => fileSystem.calls.filter((call) => call.call === 'write' && call.path.endsWith('.journal')).length;
    const before = journalWrites();
    await expect(append(store, 'labels', 0, 'later')).rejects.toMatchObject({ code: 'LS_LOG_FAILED' });
    expect(journalWrites()).toBe(before);
    await store.close();
    const reopened = await openStore(directory);
    expect(acknowledged).toBeGreaterThan(0);
    expect(await values(reopened, 'labels', 0)).toHaveLength(acknowledged);
    await reopened.close();
  });

  test('of a read passes, and poisons nothing', async () => {
    const fileSystem = createRefusingFileSystem();
    const store = await openStore(await temporaryDirectory(), { fileSystem });
    await store.createTopic('labels', 1);
    await append(store, 'labels', 0, 'one');
    fileSystem.refuse((call) => (call.call === 'read' ? 'EIO' : undefined));
    const read = store.read({ topic: 'labels', partition: 0 }, 0n, { records: 1, bytes: 1 });
    await expect(read).rejects.toMatchObject({ code: 'LS_LOG_UNREADABLE', retryable: true });
    fileSystem.refuse(() => undefined);
    await append(store, 'labels', 0, 'two');
    expect(await values(store, 'labels', 0)).toEqual(['one', 'two']);
    await store.close();
  });

  test.each([
    ['making the directory', (call: DiskCall) => call.call === 'makeDirectory'],
    ['making the file of a journal', (call: DiskCall) => call.call === 'open' && call.path.endsWith('0002.journal')],
    ['writing the journal', (call: DiskCall) => call.call === 'write' && call.path.endsWith('.journal')],
    ['cutting off a tail', (call: DiskCall) => call.call === 'truncate' && call.path.endsWith('.log')],
    ['removing a segment that was not committed', (call: DiskCall) => call.call === 'remove' && call.path.endsWith('.log')],
  ])('on a full disk, %s as the log is opened: asks for space', async (_name, concerned) => {
    const directory = await temporaryDirectory();
    const store = await openStore(directory);
    const { incarnation } = await store.createTopic('labels', 1);
    await append(store, 'labels', 0, 'one');
    await store.close();
    const partition = join(directory, 'topics', `labels-${incarnation}`, '0');
    await appendFile(join(partition, '00000000000000000000.log'), 'torn');
    await writeFile(join(partition, '00000000000000000001.log'), 'begun');
    const fileSystem = createRefusingFileSystem();
    fileSystem.refuse((call) => (concerned(call) ? 'ENOSPC' : undefined));
    const error: unknown = await openStore(directory, { fileSystem }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'LS_LOG_FAILED',
      message: expect.stringContaining('ENOSPC') as string,
      description: { remedy: expect.stringContaining('Free space') as string },
      details: { outcome: 'not-committed' },
      cause: { code: 'ENOSPC' },
    });
    expect(fileSystem.openHandles()).toBe(0);
    fileSystem.refuse(() => undefined);
    const reopened = await openStore(directory, { fileSystem });
    expect(await values(reopened, 'labels', 0)).toEqual(['one']);
    await reopened.close();
  });

  test('of opening closes what was opened', async () => {
    const directory = await temporaryDirectory();
    const store = await openStore(directory);
    await store.createTopic('labels', 3);
    for (const partition of [0, 1, 2]) await append(store, 'labels', partition, 'one');
    await store.close();
    const fileSystem = createRefusingFileSystem();
    for (const call of ['open', 'write', 'dataSync', 'read', 'size', 'list', 'makeDirectory', 'directorySync'] as const) {
      let countdown = call === 'open' || call === 'read' || call === 'size' ? 3 : 0;
      fileSystem.refuse((made) => (made.call === call && countdown-- <= 0 ? 'EIO' : undefined));
      const reading = call === 'open' || call === 'read' || call === 'size' || call === 'list';
      const refused = { code: reading ? 'LS_LOG_UNREADABLE' : 'LS_LOG_FAILED', cause: { code: 'EIO' } };
      await expect(openStore(directory, { fileSystem }), call).rejects.toMatchObject(refused);
      expect(fileSystem.openHandles(), call).toBe(0);
    }
    const reopened = await openStore(directory);
    expect(await values(reopened, 'labels', 2)).toEqual(['one']);
    await reopened.close();
  });
});
