// What the examples share: the program's own commands, run as a person would type them, and where their data lies.
import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parse } from 'csv-parse';

const repository = resolve(import.meta.dirname, '..');

/** Sample data is not part of the repository: LABELSTREAM_SAMPLES names its folder. */
export const samples = resolve(repository, process.env['LABELSTREAM_SAMPLES'] ?? '../shared/data');

/** Sample networks; LABELSTREAM_SAMPLE_MODELS names their folder. */
export const sampleModels = resolve(repository, process.env['LABELSTREAM_SAMPLE_MODELS'] ?? '../shared/models');

/** A file or folder of the sample data; where it is not there the example ends, and says what to do. */
export function sample(path: string): Promise<string> {
  return given(join(samples, path), 'LABELSTREAM_SAMPLES to the folder of the sample data');
}

/** As `sample`, for a network. */
export function sampleModel(path: string): Promise<string> {
  return given(join(sampleModels, path), 'LABELSTREAM_SAMPLE_MODELS to the folder of the networks');
}

async function given(path: string, setting: string): Promise<string> {
  const isThere = await access(path).then(() => true, () => false);
  return isThere ? path : end(`There is no ${path}, and it is not part of the repository: set ${setting} (docs/tutorials).`);
}

/** Without the stack that an error would bring: what is wrong is not in the example. */
function end(message: string): never {
  console.error(message);
  process.exit(1);
}

/** Runs a command of labelstream with an example's configuration; its messages go to standard error. The example ends where the command fails. */
export function labelstream(example: string, ...parameters: readonly string[]): Promise<string> {
  return program(...parameters, '-c', join(repository, `examples/${example}.yaml`));
}

/** As `labelstream`, for a command that needs no configuration. */
export async function program(...parameters: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [join(repository, 'bin/labelstream.js'), ...parameters], { stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const code = await new Promise<number | null>((ended) => child.on('close', ended));
  if (code !== 0) end(`labelstream ${parameters.join(' ')} ended with ${String(code)}`);
  return Buffer.concat(chunks).toString();
}

/** What a command with --json printed. */
export function jsonLines(text: string): unknown[] {
  return text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as unknown);
}

export async function csvRows(file: string, header: boolean): Promise<{ readonly line: number; readonly fields: Readonly<Record<string, string>> }[]> {
  const rows = [];
  const parser = createReadStream(file).pipe(parse({ columns: header, info: true, bom: true }));
  for await (const { record, info } of parser as AsyncIterable<{ record: Record<string, string> | string[]; info: { lines: number } }>) {
    rows.push({ line: info.lines, fields: Object.fromEntries(Object.entries(record)) });
  }
  return rows;
}

/**
 * Agreement of two partitions of the same items, corrected for chance (Hubert and Arabie 1985): 1 for equal ones, about 0 for unrelated ones.
 */
export function adjustedRandIndex(left: readonly string[], right: readonly string[]): number {
  const pairs = (count: number): number => (count * (count - 1)) / 2;
  const counts = (keys: readonly string[]): number[] => {
    const found = new Map<string, number>();
    for (const key of keys) found.set(key, (found.get(key) ?? 0) + 1);
    return [...found.values()];
  };
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + pairs(value), 0);
  const both = sum(counts(left.map((key, index) => JSON.stringify([key, right[index]]))));
  const [inLeft, inRight] = [sum(counts(left)), sum(counts(right))];
  const expected = (inLeft * inRight) / pairs(left.length);
  const highest = (inLeft + inRight) / 2;
  return highest === expected ? 1 : (both - expected) / (highest - expected);
}
