import { describe, expect, test } from 'vitest';
import { defaultWorkerCount, usableCores } from '../../src/models/cpu-limit.ts';

const files =
  (contents: Readonly<Record<string, string>>) =>
  async (path: string): Promise<string> => {
    const content = contents[path];
    if (content === undefined) throw new Error(`ENOENT: ${path}`);
    return Promise.resolve(content);
  };

describe('usableCores', () => {
  test.each([
    ['no cgroups', {}, 8, 8],
    ['no limit', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': 'max 100000\n' }, 8, 8],
    ['a container of three cores', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '300000 100000\n' }, 8, 3],
    ['one and a half', { '/sys/fs/cgroup/cpu.max': '150000 100000\n' }, 8, 1],
    ['half a core', { '/sys/fs/cgroup/cpu.max': '50000 100000\n' }, 8, 1],
    ['more than there are', { '/sys/fs/cgroup/cpu.max': '900000 100000\n' }, 2, 2],
    [
      'a limit above the own group',
      { '/proc/self/cgroup': '0::/a/b\n', '/sys/fs/cgroup/a/b/cpu.max': 'max 100000', '/sys/fs/cgroup/a/cpu.max': '200000 100000' },
      8,
      2,
    ],
    ['cgroups of version 1 only', { '/proc/self/cgroup': '4:cpu,cpuacct:/x\n' }, 8, 8],
    ['nonsense', { '/proc/self/cgroup': 'x', '/sys/fs/cgroup/cpu.max': 'x y' }, 8, 8],
  ])('%s', async (_, contents, schedulable, expected) => {
    expect(await usableCores(files(contents), schedulable)).toBe(expected);
  });

  test('this machine: one or two workers', async () => {
    expect([1, 2]).toContain(await defaultWorkerCount());
  });
});
