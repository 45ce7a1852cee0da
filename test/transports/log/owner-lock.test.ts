import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { acquireOwnerLock } from '../../../src/transports/log/owner-lock.ts';
import { code } from '../../conformance/transport-harness.ts';
import { startLogProcess } from './child-process.ts';
import { temporaryDirectory } from './log-fixtures.ts';

test('is held once, also within a process, and is free after its release', async () => {
  const directory = join(await temporaryDirectory(), 'made', 'on the way');
  const lock = await acquireOwnerLock(directory);
  expect(lock).toBeDefined();
  expect(await acquireOwnerLock(directory)).toBeUndefined();
  // A second try that fails must not drop the lock with its file descriptor.
  const other = startLogProcess();
  expect(await other.tell({ do: 'lock', directory })).toBe(false);
  lock!.release();
  expect(await other.tell({ do: 'lock', directory })).toBe(true);
  expect(await acquireOwnerLock(directory)).toBeUndefined();
  expect(await readdir(directory)).toEqual(['owner.lock']);
  expect((await stat(join(directory, 'owner.lock'))).size).toBe(0);
});

test('dies with its process: kill -9 frees it', async () => {
  const directory = await temporaryDirectory();
  for (let round = 0; round < 3; round++) {
    const owner = startLogProcess();
    expect(await owner.tell({ do: 'lock', directory })).toBe(true);
    expect(await acquireOwnerLock(directory)).toBeUndefined();
    await owner.kill();
    const lock = await acquireOwnerLock(directory);
    expect(lock).toBeDefined();
    lock!.release();
  }
});

test('two processes racing for it 50 times: never two owners, and one in the end', async () => {
  const directory = await temporaryDirectory();
  const racers = [startLogProcess(), startLogProcess()];
  for (let round = 0; round < 50; round++) {
    let owners = 0;
    // Each may see the other trying and give way; whoever opens a log tries again, as is done here.
    for (let attempt = 0; owners === 0; attempt++) {
      expect(attempt, 'both give way, again and again').toBeLessThan(100);
      const won = await Promise.all(racers.map((racer) => racer.tell({ do: 'lock', directory })));
      owners = won.filter((result) => result === true).length;
    }
    expect(owners).toBe(1);
    await Promise.all(racers.map((racer) => racer.tell({ do: 'unlock' })));
  }
});

test('that cannot be tried says why', async () => {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, 'file'), '');
  expect(await code(acquireOwnerLock(join(directory, 'file')))).toBe('LS_LOG_LOCK_FAILED');
  await mkdir(join(directory, 'taken', 'owner.lock'), { recursive: true });
  expect(await code(acquireOwnerLock(join(directory, 'taken')))).toBe('LS_LOG_LOCK_FAILED');
  await mkdir(join(directory, 'foreign'));
  await writeFile(join(directory, 'foreign', 'owner.lock'), 'not a lock, and nothing of ours: '.repeat(100));
  expect(await code(acquireOwnerLock(join(directory, 'foreign')))).toBe('LS_LOG_LOCK_FAILED');
});

test.runIf(process.platform === 'linux')('a file system that takes no directories is refused, where a recursive mkdir of Node would go on for ever', async () => {
  for (const directory of ['/proc/labelstream', '/proc/labelstream/data/log']) {
    await expect(acquireOwnerLock(directory)).rejects.toMatchObject({ code: 'LS_LOG_LOCK_FAILED', message: expect.stringContaining('/proc/labelstream cannot be made') as string });
  }
});
