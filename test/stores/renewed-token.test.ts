// A token in a file is replaced before it expires: what runs goes on with the new one.
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { loadConfiguration } from '../../src/config/load.ts';
import { openStateStore } from '../../src/open-state-store.ts';
import { createNodeFileSystem } from '../../src/pipeline/node-file-system.ts';
import type { StateStore } from '../../src/pipeline/state-store.ts';
import { createProcessContext } from '../../src/process-context.ts';
import { withDirectory, writeConfiguration } from '../service/program.ts';

const empty = '<?xml version="1.0"?><EnumerationResults><Blobs/><NextMarker/></EnumerationResults>';

type Container = {
  /** The only signature that it takes from now on. */
  readonly take: (signature: string) => void;
  /** The signatures that it was asked with; '' where there was none. */
  readonly asked: readonly string[];
  readonly tokenFile: string;
  readonly open: () => Promise<StateStore>;
};

/** Who asks without a token is told that there is nothing, as of a container that is not public. */
async function withContainer(use: (container: Container) => Promise<void>): Promise<void> {
  await withDirectory(async (directory) => {
    const asked: string[] = [];
    let taken = 'old';
    const server = createServer((request, response) => {
      const signature = new URL(request.url ?? '', 'http://container').searchParams.get('sig') ?? '';
      asked.push(signature);
      if (signature === taken) response.writeHead(200, { 'content-type': 'application/xml' }).end(empty);
      else if (signature === '') response.writeHead(404, { 'x-ms-error-code': 'ResourceNotFound' }).end();
      else response.writeHead(403, { 'x-ms-error-code': 'AuthenticationFailed' }).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const tokenFile = join(directory, 'token');
      await writeFile(tokenFile, 'sig=old\n');
      const file = await writeConfiguration(directory, `state: { kind: blob, containerUrl: "http://127.0.0.1:${port}/account/snapshots", sasTokenFile: token }\n`);
      const { configuration } = await loadConfiguration({ file, environment: {}, assignments: [], tasks: [] });
      const context = await createProcessContext(pino({ level: 'silent' }));
      const open = () => openStateStore(configuration!, context, createNodeFileSystem(), new AbortController().signal);
      await use({ asked, tokenFile, open, take: (signature) => { taken = signature; } });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
}

test('a token that the container refuses is read again from its file, once, and only another one is tried', async () => {
  await withContainer(async ({ asked, tokenFile, open, take }) => {
    const store = await open();
    const names = () => store.names('cluster');
    expect(await names()).toEqual([]);
    take('new');
    await expect(names(), 'the file is as it was').rejects.toMatchObject({ code: 'LS_STATE_CREDENTIALS' });
    await writeFile(tokenFile, 'sig=new\n');
    expect(await Promise.all([names(), names()])).toEqual([[], []]);
    expect(await names()).toEqual([]);
    expect(asked.slice(0, 2)).toEqual(['old', 'old']);
    expect(asked.slice(2).toSorted()).toEqual(['new', 'new', 'new', 'old', 'old']);
  });
});

test('a file that is empty, as one is that is being written, holds no token: nothing is asked without one', async () => {
  await withContainer(async ({ asked, tokenFile, open, take }) => {
    const { names } = await open();
    take('new');
    await writeFile(tokenFile, '\n');
    await expect(names('cluster')).rejects.toMatchObject({ code: 'LS_STATE_CREDENTIALS' });
    await expect(open(), 'a start').rejects.toMatchObject({ code: 'LS_STATE_CREDENTIALS', message: expect.stringContaining(`${tokenFile} is empty`) as string });
    await writeFile(tokenFile, 'sig=new\n');
    expect(await names('cluster')).toEqual([]);
    expect(asked).toEqual(['old', 'old', 'new']);
  });
});
