// `topics create|check` on the embedded log; test/service/kafka-commands.test.ts gives them a broker.
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { runProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { createDirectoryStateStore } from '../../src/pipeline/directory-state-store.ts';
import { createNodeFileSystem } from '../../src/pipeline/node-file-system.ts';
import { notePlan } from '../../src/stages/cluster/repartition-plan.ts';
import { makeLog, notesConfiguration, objects, succeed } from './fixtures.ts';

// Each command is a process of its own.
vi.setConfig({ testTimeout: 120_000 });

test('looking makes nothing; creating makes what is missing, once', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${notesConfiguration}transport: { partitionCount: 1 }\n`);
    const states = async (...parameters: readonly string[]) => new Set((await objects('topics', 'create', '-c', file, ...parameters)).map(({ state }) => state));
    await makeLog(file, 'without-topics');
    expect(await states('--dry-run')).toEqual(new Set(['missing']));
    const checked = await runProgram('topics', 'check', '-c', file);
    expect(checked.code, '`run` makes them').toBe(0);
    expect(checked.stdout, 'the remedy is a line of its own, below the last').toMatch(/^(?:warning {2}\S+: topic: the topic does not exist\n){11} {4}`run` makes it.*\nnothing is wrong with the topics; 11 are still to be made\n$/);
    expect(new Set((await objects('topics', 'check', '-c', file)).map(({ severity }) => severity))).toEqual(new Set(['warning']));
    expect(await states()).toEqual(new Set(['made']));
    expect(await states()).toEqual(new Set(['exists']));
    await succeed('topics', 'check', '-c', file);
    // That of features is not named where it is not set.
    const other = await runProgram('topics', 'check', '-c', file, '--set', 'transport.partitionCount=3');
    expect(other.stdout).toContain('1 partition, where transport.partitionCount says 3');
    expect(other.stdout).not.toContain('featuresPartitionCount says');
    const own = await runProgram('topics', 'check', '-c', file, '--set', 'transport.featuresPartitionCount=3');
    expect(own.stdout).toBe('error  features: partitions: 1 partition, where transport.featuresPartitionCount says 3\n    set transport.featuresPartitionCount to 1, or: labelstream topics repartition -c FILE\n');
    // As `run` says.
    expect([own.code, own.stderr]).toEqual([78, expect.stringMatching(/set transport\.featuresPartitionCount to 1, or: .* \[LS_TRANSPORT_PARTITION_COUNT\]/)]);
    expect(other.stderr).toContain('[LS_TRANSPORT_TOPIC_SETTINGS]');
  });
});

// On a broker features is gone for a while; here it was never made.
test('features is not made where a repartition is to make it anew', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${notesConfiguration}transport: { partitionCount: 1 }\n`);
    const store = createDirectoryStateStore({ directory: join(directory, 'data', 'state'), fileSystem: createNodeFileSystem() });
    const plan = { owner: 'another', formerIncarnation: 'former', foldedThrough: [-1n], partitionCount: 2, form: { replicationFactor: undefined, settings: {} } };
    await notePlan(store, 'labelstream-cluster', 'planned', plan);
    const refused = await runProgram('topics', 'create', '-c', file);
    expect([refused.code, refused.stderr]).toEqual([expect.any(Number), expect.stringContaining('LS_STATE_REPARTITION_PENDING') as string]);
    expect(new Set((await objects('topics', 'create', '--dry-run', '-c', file)).map(({ state }) => state))).toEqual(new Set(['missing']));
  });
});
