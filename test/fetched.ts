/** What tests fetch once and keep outside the repository, for every test process of the machine: LABELSTREAM_TEST_CACHE, or `~/.cache/labelstream-test`. */
import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export function isThere(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}

/** The folder of that name, filled by `fetch` where it is not there. It comes whole, by a rename, or not at all. */
export async function fetched(name: string, fetch: (folder: string) => Promise<void>): Promise<string> {
  const cache = process.env['LABELSTREAM_TEST_CACHE'] ?? join(homedir(), '.cache', 'labelstream-test');
  const folder = join(cache, name);
  if (await isThere(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const temporary = await mkdtemp(join(cache, 'fetch-'));
  try {
    await fetch(temporary);
    await rename(temporary, folder).catch(async (error: unknown) => {
      // Another process was quicker.
      if (!(await isThere(folder))) throw error;
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return folder;
}

/** An npm package that would be too much for everybody who installs this project; without the scripts of its dependencies. */
export function fetchedPackage(name: string, version: string): Promise<string> {
  return fetched(`${name}-${version}`, async (folder) => {
    await writeFile(join(folder, 'package.json'), '{ "private": true }');
    const install = ['install', '--ignore-scripts', '--no-audit', '--no-fund', `${name}@${version}`];
    await promisify(execFile)('npm', install, { cwd: folder, timeout: 300_000 }).catch((cause: unknown) => {
      throw new Error(`npm could not install ${name}`, { cause });
    });
  });
}
