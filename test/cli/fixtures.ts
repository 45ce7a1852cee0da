/** Configurations and inputs that the tests of the commands share. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect } from 'vitest';
import { openAccess, type Access } from '../../src/open-access.ts';
import { createProcessContext, type AccessRole } from '../../src/process-context.ts';
import { loadConfiguration } from '../../src/config/load.ts';
import { tasks } from '../../src/tasks/registry.ts';
import { encoderManifest, writeModelWithAnswers } from '../models/model-directory.ts';
import { encoderDimensions, textEncoder } from '../models/onnx-fixtures.ts';
import { jsonLines, runProgram, startProgram, type Finished } from '../service/program.ts';

/** Records through the bundled classifier: no clusters. */
export const notesConfiguration = `
dataDirectory: data
server: { enabled: false }
models: { notes: { directory: MODELS/banknote-classifier } }
routes: [{ name: notes, from: record, steps: [{ name: predict, task: record-prediction, model: notes }] }]
`;

/** Texts through a small encoder of the tests, in which equal texts are equal vectors, into one collection. */
export function textsConfiguration(collection = 'eps: 0.05, minPoints: 3'): string {
  return `
dataDirectory: data
server: { enabled: false }
models: { encoder: { directory: encoder } }
routes: [{ name: texts, from: text, steps: [{ name: embed, task: text-features, model: encoder, collection: texts }] }]
collections:
  - { name: texts, ${collection} }
`;
}

/** @param name of its folder. */
export async function writeEncoder(directory: string, overrides: Readonly<Record<string, unknown>> = {}, name = 'encoder'): Promise<void> {
  await mkdir(join(directory, name), { recursive: true });
  await writeModelWithAnswers(join(directory, name), { ...encoderManifest, ...overrides }, { 'model.onnx': textEncoder() }, encoderDimensions);
}

export const fields = ['variance', 'skewness', 'curtosis', 'entropy'] as const;

/** @param first number of the first row, from which its values come. */
export async function writeNotes(directory: string, name: string, count: number, first = 0): Promise<string> {
  const rows = Array.from({ length: count }, (_, index) => [`n${first + index}`, ...fields.map((_field, column) => String((first + index) % 7 - column))].join(','));
  return writeInput(directory, name, [`id,${fields.join(',')}`, ...rows]);
}

export async function writeTexts(directory: string, name: string, texts: Readonly<Record<string, string | null>>): Promise<string> {
  const rows = Object.entries(texts).map(([id, text]) => JSON.stringify(text === null ? { id, deleted: true } : { id, text }));
  return writeInput(directory, name, rows);
}

export async function writeInput(directory: string, name: string, lines: readonly string[]): Promise<string> {
  const file = join(directory, name);
  await writeFile(file, `${lines.join('\n')}\n`);
  return file;
}

/** Runs a command that must succeed. */
export async function succeed(...parameters: readonly string[]): Promise<Finished> {
  const finished = await runProgram(...parameters);
  expect(finished.code, `${parameters.join(' ')}\n${finished.stderr}`).toBe(0);
  return finished;
}

/** The objects that a command with --json prints. */
export async function objects(...parameters: readonly string[]): Promise<Record<string, unknown>[]> {
  return jsonLines((await succeed(...parameters, '--json')).stdout);
}

/** Everything in a topic. */
export function topicContents(file: string, topic: string): Promise<Record<string, unknown>[]> {
  return objects('tail', topic, '-c', file, '--from-start', '--until-end');
}

/** A live `run`, once it works. Ends the program when the test does. */
export async function withRun<Result>(file: string, use: (run: ReturnType<typeof startProgram>) => Promise<Result>, options: readonly string[] = []): Promise<Result> {
  const run = startProgram(['run', '-c', file, ...options]);
  try {
    await run.said('"msg":"running"');
    return await use(run);
  } finally {
    run.kill('SIGKILL');
    await run.finished;
  }
}

/** The log of a configuration, made where there is none. */
export function makeLog(file: string, role: AccessRole = 'any'): Promise<void> {
  return withLog(file, () => Promise.resolve(), role);
}

/** The log of a configuration, in this process. */
export async function withLog<Result>(file: string, use: (access: Access) => Promise<Result>, role: AccessRole = 'any'): Promise<Result> {
  const { configuration } = await loadConfiguration({ file, environment: {}, assignments: [], tasks: [...tasks.values()] });
  if (configuration === undefined) throw new Error(`${file} is no valid configuration`);
  const access = await openAccess(configuration, await createProcessContext(pino({ level: 'silent' })), role);
  try {
    return await use(access);
  } finally {
    await access.close();
  }
}
