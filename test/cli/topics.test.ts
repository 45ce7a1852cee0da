// `topics create|check` on the embedded log; test/service/kafka-commands.test.ts gives them a broker.
import { expect, test, vi } from 'vitest';
import { runProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { notesConfiguration, objects, succeed } from './fixtures.ts';

// Each command is a process of its own.
vi.setConfig({ testTimeout: 120_000 });

test('looking makes nothing; creating makes what is missing, once', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${notesConfiguration}transport: { partitionCount: 1 }\n`);
    const states = async (...parameters: readonly string[]) => new Set((await objects('topics', 'create', '-c', file, ...parameters)).map(({ state }) => state));
    expect(await states('--dry-run')).toEqual(new Set(['missing']));
    const checked = await runProgram('topics', 'check', '-c', file);
    expect(checked.code).toBe(78);
    expect(checked.stdout.match(/the topic does not exist/g)).toHaveLength(11);
    expect(await states()).toEqual(new Set(['made']));
    expect(await states()).toEqual(new Set(['exists']));
    await succeed('topics', 'check', '-c', file);
    const other = await runProgram('topics', 'check', '-c', file, '--set', 'transport.partitionCount=3');
    expect(other.stdout).toContain('1 partitions, where transport.partitionCount says 3');
  });
});
