/** What a test needs beyond the repository. Where it is missing the test is skipped, loudly; with LABELSTREAM_TEST_REQUIRE=all it fails. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { expect, test, type TestOptions } from 'vitest';

export function testWith(needs: Readonly<Record<string, boolean>>, name: string, options: TestOptions, run: () => Promise<void>): void {
  const missing = Object.entries(needs).flatMap(([need, there]) => (there ? [] : [need]));
  if (missing.length === 0) {
    test(name, options, run);
    return;
  }
  const message = `"${name}" needs ${missing.join(' and ')}`;
  if (process.env['LABELSTREAM_TEST_REQUIRE'] === 'all') {
    test(name, () => {
      expect.fail(message);
    });
    return;
  }
  console.warn(`SKIPPED: ${message}`);
  test.skip(`${name} (skipped: needs ${missing.join(' and ')})`);
}

export function fileThere(path: string): boolean {
  return existsSync(path);
}

export function commandThere(command: string): boolean {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined;
}
