import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'vitest';
import { repository } from '../service/program.ts';

/** Runs an example on its real data; gives what its last line says. */
export async function runExample(name: string, dataDirectory: string): Promise<Record<string, unknown>> {
  const child = spawn(process.execPath, [join(repository, `examples/${name}.ts`)], {
    env: { ...process.env, LABELSTREAM_DATA_DIR: dataDirectory },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise((ended) => child.on('close', ended));
  expect(code, stderr).toBe(0);
  const last = stdout.trim().split('\n').at(-1) ?? '';
  console.log(`${name}: ${last}`);
  return JSON.parse(last) as Record<string, unknown>;
}
