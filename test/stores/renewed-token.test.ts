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
import { createProcessContext } from '../../src/process-context.ts';
import { withDirectory, writeConfiguration } from '../service/program.ts';

const empty = '<?xml version="1.0"?><EnumerationResults><Blobs/><NextMarker/></EnumerationResults>';

test('a token that the container refuses is read again from its file, once, and only another one is tried', async () => {
  await withDirectory(async (directory) => {
    const asked: string[] = [];
    let taken = 'old';
    const server = createServer((request, response) => {
      const signature = new URL(request.url ?? '', 'http://container').searchParams.get('sig') ?? '';
      asked.push(signature);
      if (signature === taken) response.writeHead(200, { 'content-type': 'application/xml' }).end(empty);
      else response.writeHead(403, { 'x-ms-error-code': 'AuthenticationFailed' }).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const token = join(directory, 'token');
      await writeFile(token, 'sig=old\n');
      const file = await writeConfiguration(directory, `state: { kind: blob, containerUrl: "http://127.0.0.1:${port}/account/snapshots", sasTokenFile: token }\n`);
      const { configuration } = await loadConfiguration({ file, environment: {}, assignments: [], tasks: [] });
      const store = await openStateStore(configuration!, await createProcessContext(pino({ level: 'silent' })), createNodeFileSystem(), new AbortController().signal);
      const names = () => store.names('cluster');
      expect(await names()).toEqual([]);
      taken = 'new';
      await expect(names(), 'the file is as it was').rejects.toMatchObject({ code: 'LS_STATE_CREDENTIALS' });
      await writeFile(token, 'sig=new\n');
      expect(await Promise.all([names(), names()])).toEqual([[], []]);
      expect(await names()).toEqual([]);
      expect(asked.slice(0, 2)).toEqual(['old', 'old']);
      expect(asked.slice(2).toSorted()).toEqual(['new', 'new', 'new', 'old', 'old']);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
