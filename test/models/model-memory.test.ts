/** A budget of memory that does not hold all models: who makes room for whom, with real workers. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { estimatedMemoryBytes } from '../../src/models/model-memory.ts';
import type { ModelInput } from '../../src/models/model-port.ts';
import { startModelServer, type ModelServer, type ModelServerOptions } from '../../src/models/model-server.ts';
import { loadArtefacts } from '../../src/models/repository.ts';
import { classifierDirectory, rejectedMessage, testClock } from './model-directory.ts';

const values = (a: number): ModelInput => ({ kind: 'values', values: { a, b: 1, c: 1, d: 1 } });
const never = { signal: new AbortController().signal };
const workerCount = 1;

/** Models of one size, and a budget that holds so many of them. */
async function serve(names: readonly string[], room: number, options: Partial<ModelServerOptions> = {}) {
  const directories = await Promise.all(names.map(() => classifierDirectory()));
  const memoryBytes = estimatedMemoryBytes(await loadArtefacts(directories[0]!), workerCount);
  const told: string[] = [];
  const models = names.map((name, index) => ({ name, directory: directories[index]!, preload: false }));
  const server = await startModelServer({
    clock: testClock,
    workerCount,
    models,
    memoryBytesMax: Math.floor(room * memoryBytes),
    observer: { loaded: ({ model }) => told.push(`+${model}`), unloaded: ({ model, why }) => told.push(`${why === 'evicted' ? '-' : '?'}${model}`) },
    ...options,
  });
  onTestFinished(() => server.close());
  return { server, told, memoryBytes, models };
}

const loadedNow = (server: ModelServer): string[] => [...server.status()].flatMap(([name, { memoryBytes }]) => (memoryBytes > 0 ? [name] : []));

describe('a model that is asked for', () => {
  test('takes the place of the one not used for longest', async () => {
    const { server, told } = await serve(['a', 'b', 'c'], 2.5);
    for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) await server.run(name, values(1), never);
    expect(told).toEqual(['+a', '+b', '-b', '+c', '-c', '+b']);
    expect(loadedNow(server)).toEqual(['a', 'b']);
  });

  test('does not take the place of one that has something to do, until that is done', async () => {
    const { server, told } = await serve(['a', 'b'], 1.5);
    const ofA = Array.from({ length: 200 }, (_, index) => server.run('a', values(index), never).then(() => told.push('a done')));
    const ofB = server.run('b', values(1), never);
    await Promise.all([...ofA, ofB]);
    expect(told).toEqual(['+a', ...ofA.map(() => 'a done'), '-a', '+b']);
  });

  test('gets its turn beside one that never rests, and what that one waits for is not lost', async () => {
    const { server, told } = await serve(['a', 'b'], 1.5);
    let isOver = false;
    const resting = (async () => {
      let done = 0;
      // There is always one more that waits.
      const loop = async (): Promise<void> => {
        while (!isOver) {
          await server.run('a', values(done), never);
          done += 1;
        }
      };
      await Promise.all(Array.from({ length: 16 }, loop));
      return done;
    })();
    await server.run('a', values(0), never);
    await server.run('b', values(1), never);
    isOver = true;
    expect(await resting).toBeGreaterThan(16);
    expect(told.slice(0, 3)).toEqual(['+a', '-a', '+b']);
  });

  test('is never more than fits, whatever is asked at once', async () => {
    const { server, memoryBytes } = await serve(['a', 'b', 'c', 'd'], 2.5);
    let most = 0;
    const runs = Array.from({ length: 80 }, async (_, index) => {
      await server.run(['a', 'b', 'c', 'd'][index % 4]!, values(index), never);
      most = Math.max(most, [...server.status().values()].reduce((total, status) => total + status.memoryBytes, 0));
    });
    await Promise.all(runs);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(2.5 * memoryBytes);
  });
});

describe('what cannot fit is refused', () => {
  const refused = (room: number, preload: boolean): Promise<string> =>
    (async () => {
      const { models, memoryBytes, server } = await serve(['a', 'b'], 10);
      await server.close();
      return rejectedMessage(startModelServer({ clock: testClock, workerCount, models: models.map((model) => ({ ...model, preload })), memoryBytesMax: Math.floor(room * memoryBytes) }), 'LS_MODEL_MEMORY');
    })();

  test('at the start: one alone, though it is to be loaded later', async () => {
    expect(await refused(0.9, false)).toContain('the model a takes about');
  });

  test('at the start: those that are loaded then, together', async () => {
    expect(await refused(1.9, true)).toContain('loaded at the start');
  });

  test('at a reload: the new one beside the old, which goes on', async () => {
    const { server } = await serve(['a'], 1.5);
    await server.load('a');
    expect(await rejectedMessage(server.reload('a'), 'LS_MODEL_MEMORY')).toContain('beside the old one');
    await server.run('a', values(1), never);
    expect(loadedNow(server)).toEqual(['a']);
  });

  test('but for a reload others make room', async () => {
    const { server, told } = await serve(['a', 'b'], 2.5);
    await server.load('a');
    await server.load('b');
    await server.reload('a');
    expect(told).toEqual(['+a', '+b', '-b']);
  });
});
