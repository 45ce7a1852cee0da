import { createHash } from 'node:crypto';
import { chmod, mkdir, realpath, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { serveLog } from '../../../src/transports/log/socket-server.ts';
import { connectToOwner } from '../../../src/transports/log/socket-log-store.ts';
import { socketPathOf } from '../../../src/transports/log/socket-path.ts';
import { code } from '../../conformance/transport-harness.ts';
import { temporaryDirectory } from './log-fixtures.ts';
import { createMemoryLogStore } from './memory-log-store.ts';

async function longDirectory(): Promise<string> {
  const directory = join(await temporaryDirectory(), 'a-directory-with-a-long-name-'.repeat(5));
  await mkdir(directory);
  return directory;
}

test('is in the directory, the same for every spelling of its name', async () => {
  const directory = await temporaryDirectory();
  const path = join(await realpath(directory), 'owner.sock');
  expect(await socketPathOf(directory)).toBe(path);
  await symlink(directory, `${directory}/link`);
  expect(await socketPathOf(join(directory, 'link', '..', 'link'))).toBe(path);
});

test('of a directory with a long name is short, private, and found by both sides', async () => {
  const directory = await longDirectory();
  const temporary = await temporaryDirectory();
  const path = await socketPathOf(directory, { temporaryDirectory: temporary });
  expect(Buffer.byteLength(path)).toBeLessThanOrEqual(100);
  expect(path.startsWith(temporary)).toBe(true);
  expect((await stat(join(path, '..'))).mode & 0o777).toBe(0o700);
  const server = await serveLog(createMemoryLogStore(), { path, keeps: true, onYield: () => undefined, closeMsMax: 100 });
  const client = await connectToOwner(await socketPathOf(directory, { temporaryDirectory: temporary }), 1_000);
  expect(await client!.topics()).toEqual([]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await client!.close();
  await server.close('closed');
});

test('in a folder that others can enter, or that is none, is refused', async () => {
  const directory = await longDirectory();
  const temporary = await temporaryDirectory();
  const path = await socketPathOf(directory, { temporaryDirectory: temporary });
  await chmod(join(path, '..'), 0o755);
  expect(await code(socketPathOf(directory, { temporaryDirectory: temporary }))).toBe('LS_LOG_SOCKET_FAILED');
  const elsewhere = await temporaryDirectory();
  await mkdir(join(elsewhere, 'theirs'), { mode: 0o700 });
  await symlink(join(elsewhere, 'theirs'), join(elsewhere, `labelstream-${(await stat(directory)).uid}`));
  expect(await code(socketPathOf(directory, { temporaryDirectory: elsewhere }))).toBe('LS_LOG_SOCKET_FAILED');
});

test('is a named pipe on Windows', async () => {
  const directory = await temporaryDirectory();
  const hash = createHash('sha256').update(await realpath(directory)).digest('hex').slice(0, 24);
  expect(await socketPathOf(directory, { platform: 'win32' })).toBe(`\\\\.\\pipe\\labelstream-${hash}`);
});

test('that cannot be listened at says so', async () => {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, 'file'), '');
  const options = { keeps: true, onYield: () => undefined, closeMsMax: 100 };
  expect(await code(serveLog(createMemoryLogStore(), { ...options, path: join(directory, 'file', 'owner.sock') }))).toBe('LS_LOG_SOCKET_FAILED');
  expect(await code(serveLog(createMemoryLogStore(), { ...options, path: join(directory, 'absent', 'owner.sock') }))).toBe('LS_LOG_SOCKET_FAILED');
});
