/** The real program as a child process, and its data directory seen from outside. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const repository = resolve(import.meta.dirname, '../..');

export type Finished = { readonly code: number | null; readonly signal: NodeJS.Signals | null; readonly stdout: string; readonly stderr: string };

export type RunningProgram = {
  readonly pid: number | undefined;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Resolves when standard error has held the text. */
  readonly said: (text: string) => Promise<void>;
  readonly stderrSoFar: () => string;
  readonly finished: Promise<Finished>;
};

export function startProgram(parameters: readonly string[], environment: Readonly<Record<string, string>> = {}): RunningProgram {
  const child = spawn(process.execPath, [join(repository, 'bin/labelstream.js'), ...parameters], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const waiting: { readonly text: string; readonly resolve: () => void }[] = [];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
    for (const each of waiting) if (stderr.includes(each.text)) each.resolve();
  });
  const finished = new Promise<Finished>((done) => {
    child.on('close', (code, signal) => {
      done({ code, signal, stdout, stderr });
    });
  });
  return {
    pid: child.pid,
    kill: (signal) => void child.kill(signal),
    said: (text) =>
      Promise.race([
        new Promise<void>((resolveSaid) => {
          if (stderr.includes(text)) resolveSaid();
          waiting.push({ text, resolve: resolveSaid });
        }),
        finished.then(({ code, stderr: all }) => Promise.reject(new Error(`ended with ${String(code)} before saying "${text}": ${all}`))),
      ]),
    stderrSoFar: () => stderr,
    finished,
  };
}

export function runProgram(...parameters: readonly string[]): Promise<Finished> {
  return startProgram(parameters).finished;
}

export async function withDirectory<Result>(use: (directory: string) => Promise<Result>): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-test-'));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

export async function writeConfiguration(directory: string, text: string): Promise<string> {
  const file = join(directory, 'labelstream.yaml');
  await writeFile(file, text.replaceAll('MODELS', join(repository, 'models')));
  return file;
}

export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
