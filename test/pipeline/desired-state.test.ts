// What operators want of all instances: kept in the state store, changed by whoever comes, seen by all.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { stateError } from '../../src/core/errors/state.ts';
import { changeDesiredState, followDesiredState, readDesiredState, type DesiredState } from '../../src/pipeline/desired-state.ts';
import { createDirectoryStateStore } from '../../src/pipeline/directory-state-store.ts';
import { createNodeFileSystem } from '../../src/pipeline/node-file-system.ts';
import type { StateStore } from '../../src/pipeline/state-store.ts';
import { createBlobStateStore } from '../../src/stores/blob-state-store.ts';
import { systemClock } from '../../src/pipeline/system-clock.ts';
import { createMemoryContainer } from '../stores/memory-container.ts';
import { createMemoryStateStore } from './memory-state-store.ts';
import { createVirtualClock } from './virtual-clock.ts';

const group = 'labelstream';

async function openDirectory(): Promise<{ readonly store: StateStore; readonly directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-desired-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return { directory, store: createDirectoryStateStore({ directory, fileSystem: createNodeFileSystem() }) };
}

const pausing = (topic: string) => (state: Omit<DesiredState, 'version'>) => ({ ...state, pausedInputs: [...state.pausedInputs, topic] });

/** In memory, behind the store of blobs. */
function openBlobs(): { readonly store: StateStore } {
  const signal = new AbortController().signal;
  return { store: createBlobStateStore({ container: createMemoryContainer(), prefix: 'some/where/', clock: systemClock, random: Math.random, signal, snapshotCorrupt: () => undefined }) };
}

describe('what operators want', () => {
  it.each([['a directory', openDirectory], ['a container', openBlobs]])('is nothing at first, and then what was changed last, in %s; what changes nothing is not written', async (_where, open) => {
    const { store } = await open();
    expect(await readDesiredState(store, group)).toEqual({ version: 0n, pausedInputs: [], unloadedModels: [] });
    expect(await changeDesiredState(store, group, pausing('b'))).toEqual({ version: 1n, pausedInputs: ['b'], unloadedModels: [] });
    expect(await changeDesiredState(store, group, pausing('a'))).toMatchObject({ version: 2n, pausedInputs: ['a', 'b'] });
    expect(await changeDesiredState(store, group, pausing('a'))).toMatchObject({ version: 2n });
    for (let round = 0; round < 5; round += 1) await changeDesiredState(store, group, (state) => ({ ...state, unloadedModels: [String(round)] }));
    expect(await readDesiredState(store, group)).toEqual({ version: 7n, pausedInputs: ['a', 'b'], unloadedModels: ['4'] });
    expect(await readDesiredState(store, 'other')).toMatchObject({ version: 0n });
  });

  it('is what it was before where the newest cannot be read, and can be changed from there', async () => {
    const { store, directory } = await openDirectory();
    await changeDesiredState(store, group, pausing('a'));
    await changeDesiredState(store, group, pausing('b'));
    const names = await readdir(directory, { recursive: true });
    const newest = names.filter((name) => name.endsWith('.snapshot')).sort().at(-1) ?? '';
    await writeFile(join(directory, newest), 'torn');
    expect(await readDesiredState(store, group)).toMatchObject({ version: 1n, pausedInputs: ['a'] });
    expect(await changeDesiredState(store, group, pausing('c'))).toMatchObject({ version: 3n, pausedInputs: ['a', 'c'] });
    expect(await readDesiredState(store, group)).toMatchObject({ version: 3n, pausedInputs: ['a', 'c'] });
  });

  it.each([['a directory', openDirectory], ['a container', openBlobs]])('takes many changes at once in %s, one after the other', async (_where, open) => {
    const { store } = await open();
    const topics = Array.from({ length: 5 }, (_, index) => `t${index}`);
    const follower = await followDesiredState({ stateStore: store, group, clock: systemClock, changed: () => undefined, failed: () => undefined });
    await Promise.all(topics.map((topic) => follower.change(pausing(topic))));
    expect(await readDesiredState(store, group)).toEqual({ version: 5n, pausedInputs: topics, unloadedModels: [] });
    await follower.stop();
  });

  it('takes changes that meet: who is overtaken by another of the same version tries again', async () => {
    const memory = createMemoryStateStore();
    let isFirst = true;
    const overtaken: StateStore = {
      ...memory,
      // As the stores do it: what is there under a name stays.
      write: async (header, chunks) => {
        if (isFirst) {
          isFirst = false;
          await changeDesiredState(memory, group, pausing('a'));
          return;
        }
        await memory.write(header, chunks);
      },
    };
    expect(await changeDesiredState(overtaken, group, pausing('b'))).toEqual({ version: 2n, pausedInputs: ['a', 'b'], unloadedModels: [] });
  });

  it('loses none of two changes that meet in a shared directory, whoever is later by how much', async () => {
    const { store, directory } = await openDirectory();
    await changeDesiredState(store, group, pausing('a'));
    const fileSystem = createNodeFileSystem();
    let isFirst = true;
    // All of another instance's change happens after this one has looked what there is.
    const open: typeof fileSystem.open = async (...asked) => {
      if (isFirst && asked[1].create) {
        isFirst = false;
        await changeDesiredState(store, group, pausing('b'));
      }
      return fileSystem.open(...asked);
    };
    const late = createDirectoryStateStore({ directory, fileSystem: { ...fileSystem, open } });
    expect(await changeDesiredState(late, group, pausing('c'))).toMatchObject({ version: 3n });
    expect(await readDesiredState(store, group)).toMatchObject({ version: 3n, pausedInputs: ['a', 'b', 'c'] });
  });

  it('gives up with a code where nothing that is written stays', async () => {
    const store: StateStore = { ...createMemoryStateStore(), write: () => Promise.resolve() };
    await expect(changeDesiredState(store, group, pausing('a'))).rejects.toMatchObject({ code: 'LS_STATE_DESIRED_CONFLICT' });
  });

  it('is told to who follows it: at once of changes of its own, soon of those of others, and goes on when the store was away', async () => {
    const memory = createMemoryStateStore();
    const clock = createVirtualClock();
    let isAway = false;
    const store: StateStore = { ...memory, list: (key) => (isAway ? Promise.reject(stateError('LS_STATE_CONTAINER_UNREACHABLE', 'away')) : memory.list(key)) };
    await changeDesiredState(memory, group, pausing('a'));
    const told: (readonly string[])[] = [];
    let failures = 0;
    const follower = await followDesiredState({ stateStore: store, group, clock, changed: ({ pausedInputs }) => told.push(pausedInputs), failed: () => (failures += 1) });
    expect(told).toEqual([['a']]);
    await follower.change(pausing('b'));
    expect(told).toEqual([['a'], ['a', 'b']]);
    isAway = true;
    await changeDesiredState(memory, group, pausing('c'));
    await clock.drive(clock.sleep(5_000));
    expect([failures > 1, told.length]).toEqual([true, 2]);
    isAway = false;
    await clock.drive(clock.sleep(5_000));
    expect(told).toEqual([['a'], ['a', 'b'], ['a', 'b', 'c']]);
    expect(follower.current()).toMatchObject({ version: 3n });
    await follower.stop();
    await changeDesiredState(memory, group, pausing('d'));
    await clock.drive(clock.sleep(5_000));
    expect(told).toHaveLength(3);
  });

  it('has to be read before anything is begun', async () => {
    const store: StateStore = { ...createMemoryStateStore(), list: () => Promise.reject(stateError('LS_STATE_CONTAINER_UNREACHABLE', 'away')) };
    await expect(followDesiredState({ stateStore: store, group, clock: createVirtualClock(), changed: () => undefined, failed: () => undefined })).rejects.toMatchObject({ code: 'LS_STATE_CONTAINER_UNREACHABLE' });
  });
});
