/** A Python with what a test needs: that of LABELSTREAM_TEST_PYTHON, or the system's. */
import { spawnSync } from 'node:child_process';

/** Its command; undefined where it does not have the modules. */
export function pythonWith(...modules: readonly string[]): string | undefined {
  const python = process.env['LABELSTREAM_TEST_PYTHON'] ?? 'python3';
  return spawnSync(python, ['-c', `import ${modules.join(', ')}`], { stdio: 'ignore' }).status === 0 ? python : undefined;
}
