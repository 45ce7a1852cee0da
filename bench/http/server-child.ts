/** A server in a process of its own, whose processor time is its alone: the program's, as `serve` starts it, or a bare one around the same models. */
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { loadedConfiguration } from '../../src/cli/configured.ts';
import { createLogger } from '../../src/cli/logger.ts';
import { startModels } from '../../src/compose.ts';
import type { ModelServer } from '../../src/models/model-server.ts';
import { createProcessContext } from '../../src/process-context.ts';
import { startHttp } from '../../src/start-http.ts';
import { serveCommands } from '../dbscan/child-process.ts';
import { picture } from '../inference/work.ts';
import { startBareServer } from './bare-server.ts';
import type { ServerCommands } from './server-commands.ts';

const models = resolve(import.meta.dirname, '../../models');
const streamPictures = 16;

const configuration = (keySha256: string): string => `
server:
  port: 0
  keys: { bench: { sha256: ${keySha256}, scopes: [predict] } }
inference: { workerCount: 2 }
models:
  notes: { directory: ${join(models, 'banknote-classifier')} }
  drawings: { directory: ${join(models, 'drawing-classifier')} }
`;

let server: ModelServer | undefined;
let ending: (() => Promise<void>)[] = [];
let streamItems = 0;
let wanted = 0;
let working = 0;

serveCommands<ServerCommands>(
  {
    start: async ({ kind, keySha256, directory }) => {
      const file = join(directory, `${kind}.yaml`);
      await writeFile(file, configuration(keySha256));
      const loaded = await loadedConfiguration({ config: file, set: [] }, { environment: {}, stderr: process.stderr });
      if (loaded.configuration === undefined) throw new Error(JSON.stringify(loaded.mistakes));
      const context = await createProcessContext(await createLogger('info', { stderr: process.stderr }), loaded.extensions);
      const opened = await startModels({ configuration: loaded.configuration, context });
      server = opened;
      const http = kind === 'bare' ? await startBareServer(opened, keySha256) : await startHttp({ configuration: loaded.configuration, context, models: () => opened, log: undefined });
      ending = [http.close, opened.close];
      return http.url;
    },
    cpuSeconds: () => {
      const { user, system } = process.cpuUsage();
      return Promise.resolve((user + system) / 1e6);
    },
    stream: async ({ inWorkItems }) => {
      const bytes = await Promise.all(Array.from({ length: streamPictures }, (_, seed) => picture(seed)));
      wanted = inWorkItems;
      while (working < wanted) void ask(bytes, working++);
    },
    streamItems: () => Promise.resolve(streamItems),
  },
  async () => {
    wanted = 0;
    for (const end of ending) await end();
  },
);

async function ask(pictures: readonly Uint8Array[], seed: number): Promise<void> {
  const { signal } = new AbortController();
  for (let item = seed; working <= wanted; item++) {
    await server?.run('drawings', { kind: 'image', bytes: pictures[item % pictures.length]!, contentType: 'image/jpeg' }, { signal, priority: 'stream' });
    streamItems += 1;
  }
  working -= 1;
}
