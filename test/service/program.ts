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
  /** Closes our end of its standard output, as `head` does. */
  readonly closeOutput: () => void;
  /** Resolves when standard error has held the text. */
  readonly said: (text: string) => Promise<void>;
  readonly stderrSoFar: () => string;
  /** As `said`, for standard output. */
  readonly printed: (text: string) => Promise<void>;
  readonly stdoutSoFar: () => string;
  readonly finished: Promise<Finished>;
};

/** @param workingDirectory by default that of the tests. */
export function startProgram(parameters: readonly string[], environment: Readonly<Record<string, string>> = {}, workingDirectory?: string): RunningProgram {
  const child = spawn(process.execPath, [join(repository, 'bin/labelstream.js'), ...parameters], {
    env: { ...process.env, ...environment },
    cwd: workingDirectory,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const waiting = new Set<() => void>();
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    for (const check of waiting) check();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
    for (const check of waiting) check();
  });
  const finished = new Promise<Finished>((done) => {
    child.on('close', (code, signal) => {
      done({ code, signal, stdout, stderr });
    });
  });
  const holds = (text: string, output: () => string): Promise<void> => {
    const held = new Promise<void>((resolveHeld) => {
      const check = (): void => {
        if (output().includes(text)) resolveHeld();
      };
      waiting.add(check);
      check();
    });
    const ended = finished.then(({ code, stderr: all }) => {
      if (!output().includes(text)) throw new Error(`ended with ${String(code)} before saying "${text}": ${all}`);
    });
    return Promise.race([held, ended]);
  };
  return {
    pid: child.pid,
    kill: (signal) => void child.kill(signal),
    closeOutput: () => child.stdout.destroy(),
    said: (text) => holds(text, () => stderr),
    stderrSoFar: () => stderr,
    printed: (text) => holds(text, () => stdout),
    stdoutSoFar: () => stdout,
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
