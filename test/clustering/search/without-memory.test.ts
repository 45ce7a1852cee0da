/** Thousands of searches in one process: each shared memory takes addresses, of which there is an end. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('a search that can have no shared memory compares vectors one by one, and one that can have no more founds no cells', { timeout: 120_000 }, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'without-memory-child.ts')]);
  expect(JSON.parse(stdout)).toMatchObject({
    taken: true,
    second: 'LS_CLUSTERING_MEMORY_REFUSED',
    sizeAfter: 1,
    smallIsExact: true,
    small: { kernel: 'plain', reason: expect.stringContaining('; there is no shared memory for so many searches') as string },
    withoutCells: true,
    withRows: { kernel: 'flat' },
    forced: 'LS_CLUSTERING_MEMORY_REFUSED',
  });
});
