/** Real models that are small, served to the interfaces: captions, speech, classes, boxes, and the text encoder that comes along. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startModelServer, type ModelServer, type ModelServerObserver } from '../../src/models/model-server.ts';
import type { TaskHost } from '../../src/server/task-host.ts';
import { tasks } from '../../src/tasks/registry.ts';
import { testClock } from '../models/model-directory.ts';
import { tinyDirectory, type TinyName } from '../models/transformers/tiny-models.ts';

const own = join(import.meta.dirname, '../../models');

export type TinyHost = { readonly host: TaskHost; readonly server: ModelServer; readonly close: () => Promise<void> };

/** Each under its own name. To be closed. */
export async function startTinyHost(names: readonly (TinyName | 'texts' | 'images' | 'drawings' | 'records')[], observer?: ModelServerObserver): Promise<TinyHost> {
  const made = await mkdtemp(join(tmpdir(), 'labelstream-tiny-'));
  const directories = { texts: join(own, 'static-text-encoder'), images: join(own, 'visual-encoder'), drawings: join(own, 'drawing-classifier'), records: join(own, 'banknote-classifier') };
  const models = await Promise.all(names.map(async (name) => ({ name, directory: name in directories ? directories[name as keyof typeof directories] : await tinyDirectory(name as TinyName, { directory: join(made, name) }) })));
  const server = await startModelServer({ models, clock: testClock, workerCount: 1, observer });
  const close = async (): Promise<void> => {
    await server.close();
    await rm(made, { recursive: true });
  };
  return { server, host: { models: () => server, tasks }, close };
}
