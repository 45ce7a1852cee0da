// The catalogue has something for every task, and what it names of the program is there; what it tells to do is what the program takes.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { modelCatalogue } from '../../src/models/model-catalogue.ts';
import { tasksOf } from '../../src/models/manifest.ts';
import { readManifest } from '../../src/models/repository.ts';
import { tasks } from '../../src/tasks/registry.ts';
import { jsonLines, repository, runProgram } from '../service/program.ts';

test('every task has a small model, and no model is for a task that there is not', () => {
  const small = modelCatalogue.filter(({ size }) => size === 'small').flatMap((entry) => entry.tasks);
  expect([...new Set(small)].sort()).toEqual([...tasks.keys()].sort());
  expect(modelCatalogue.flatMap((entry) => entry.tasks).filter((name) => !tasks.has(name))).toEqual([]);
});

test('what comes with the program is there, for that task', async () => {
  for (const { tasks: named, model } of modelCatalogue) {
    if (model.kind === 'bundled') expect(tasksOf(await readManifest(join(repository, 'models', model.name)))).toEqual(named);
  }
});

test('it is listed for people and for programs, with commands that the program takes', { timeout: 120_000 }, async () => {
  const shown = await runProgram('models', 'list', '--catalogue');
  expect(shown.stdout).toMatch(/^TASKS +SIZE +MODEL +LICENCE +EXTENT +MEASURED HERE\n/);
  expect(shown.stdout).toMatch(/\nobject-detection +strong +facebook\/detr-resnet-50 +Apache-2\.0 .*not measured\n/);
  const entries = jsonLines((await runProgram('models', 'list', '--catalogue', '--json')).stdout);
  expect(entries.length).toBe(modelCatalogue.length);
  const commands = entries.flatMap((entry) => entry['commands'] as string[]);
  expect(commands.length).toBeGreaterThan(10);
  const { stdout, stderr } = process;
  for (const command of commands) {
    const program = await createProgram({ stdout, stderr, environment: {}, signal: new AbortController().signal });
    for (const leaf of program.commands.find((each) => each.name() === 'models')?.commands ?? []) leaf.action(() => undefined);
    await program.parseAsync(command.split(' ').slice(1), { from: 'user' });
  }
});
