import { randomBytes, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { BlobServiceClient, ContainerSASPermissions, type ContainerClient } from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StateStore } from '../../src/pipeline/state-store.ts';
import { systemClock } from '../../src/pipeline/system-clock.ts';
import { openAzureContainer } from '../../src/stores/azure-container.ts';
import type { BlobContainer } from '../../src/stores/blob-container.ts';
import { createBlobStateStore } from '../../src/stores/blob-state-store.ts';
import { describeWith } from '../requirements.ts';
import { conformanceKey as key, copied, headerAt, restored } from '../conformance/state-store-conformance.ts';
import { azuriteNeeds, startAzurite, type Azurite } from './azurite.ts';

const accountKey = randomBytes(32).toString('base64');
const never = new AbortController().signal;

function storeOf(container: BlobContainer, retried: (attempt: number, error: unknown) => void = () => undefined): StateStore {
  return createBlobStateStore({ container, prefix: '', clock: systemClock, random: Math.random, signal: never, retried });
}

describe('credentials that cannot be read', () => {
  it.each([['nonsense'], ['DefaultEndpointsProtocol=https;AccountName=a;AccountKey=;EndpointSuffix=core.windows.net'], ['BlobEndpoint=https://a;SharedAccessSignature=']])(
    'are told with a code and without themselves: %s',
    async (connectionString) => {
      const error: unknown = await openAzureContainer({ connectionString, container: 'snapshots' }).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'LS_STATE_CREDENTIALS', retryable: false });
      expect(inspect(error, { depth: 10 })).not.toContain(connectionString);
    },
  );
});

describe('what a container answers', () => {
  const answers = [
    [401, 'InvalidAuthenticationInfo', 'LS_STATE_CREDENTIALS'],
    [403, 'AuthenticationFailed', 'LS_STATE_CREDENTIALS'],
    [404, 'ContainerNotFound', 'LS_STATE_CONTAINER_MISSING'],
    [400, 'InvalidHeaderValue', 'LS_STATE_CONTAINER_REFUSED'],
    [408, 'RequestTimeout', 'LS_STATE_CONTAINER_UNREACHABLE'],
    [429, 'TooManyRequests', 'LS_STATE_CONTAINER_UNREACHABLE'],
    [500, 'OperationTimedOut', 'LS_STATE_CONTAINER_UNREACHABLE'],
    [503, 'ServerBusy', 'LS_STATE_CONTAINER_UNREACHABLE'],
  ] as const;

  it.each(answers)('%i %s', async (status, code, expected) => {
    let requests = 0;
    const server = createServer((request, response) => {
      requests += 1;
      request.resume();
      const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no ${String(request.url)}</Message></Error>`;
      response.writeHead(status, { 'x-ms-error-code': code, 'content-type': 'application/xml' }).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const sasToken = 'sv=2024&sig=vErYsEcReT%3D';
    const container = await openAzureContainer({ containerUrl: `http://127.0.0.1:${port}/account/snapshots`, sasToken });
    const blob = { name: 'a', bytes: 1, etag: '"1"' };
    const calls = [
      () => container.list('', never), () => container.stage('a', 'AAAA', Buffer.from('x'), never), () => container.commit('a', ['AAAA'], never),
      () => container.read(blob, 0, 1, never), () => container.remove(blob, never),
    ];
    for (const call of calls) {
      requests = 0;
      const error: unknown = await call().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: expected, message: expect.stringContaining(String(status)) as unknown });
      expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(/vErYsEcReT/);
      expect(requests, 'repeating is the policy of the state store').toBe(1);
    }
    server.close();
  });

  it('is no answer where nobody listens, or nothing comes', async () => {
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const container = await openAzureContainer({ containerUrl: `http://127.0.0.1:${port}/account/snapshots`, sasToken: 'sig=x' });
    await expect(container.list('', AbortSignal.timeout(100))).rejects.toMatchObject({ code: 'LS_STATE_CONTAINER_UNREACHABLE' });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await expect(container.list('', never)).rejects.toMatchObject({ code: 'LS_STATE_CONTAINER_UNREACHABLE' });
  });
});

it('calls that are refused together ask for new credentials once: who comes later has those of the first', async () => {
  const late = Promise.withResolvers<undefined>();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://container');
    asked.push(`${url.searchParams.get('prefix') ?? ''} ${url.searchParams.get('sig') ?? ''}`);
    void (asked.at(-1) === 'late old' ? late.promise : Promise.resolve()).then(() => {
      if (url.searchParams.get('sig') === 'new') response.writeHead(200, { 'content-type': 'application/xml' }).end('<?xml version="1.0"?><EnumerationResults><Blobs/><NextMarker/></EnumerationResults>');
      else response.writeHead(403, { 'x-ms-error-code': 'AuthenticationFailed' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const containerUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/account/snapshots`;
  let renewals = 0;
  const container = await openAzureContainer({ containerUrl, sasToken: 'sig=old' }, () => {
    renewals += 1;
    return Promise.resolve({ containerUrl, sasToken: 'sig=new' });
  });
  const waiting = container.list('late', never);
  expect(await container.list('early', never)).toEqual([]);
  late.resolve(undefined);
  expect(await waiting).toEqual([]);
  expect(asked.toSorted()).toEqual(['early new', 'early old', 'late new', 'late old']);
  expect(renewals).toBe(1);
  server.closeAllConnections();
  server.close();
});

describeWith(await azuriteNeeds(), 'a container of Azurite', () => {
  let azurite: Azurite;
  let client: ContainerClient;
  const newContainer = async (): Promise<string> => {
    client = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient(`snapshots-${randomUUID()}`);
    await client.create();
    return client.containerName;
  };
  const open = (container: string): Promise<BlobContainer> => openAzureContainer({ connectionString: azurite.connectionString, container });

  beforeAll(async () => {
    azurite = await startAzurite(accountKey);
  }, 60_000);
  afterAll(() => azurite.close());

  it('that is not there, and one whose key is another, are told apart', async () => {
    const container = await newContainer();
    await expect((await open('nowhere')).list('', never)).rejects.toMatchObject({ code: 'LS_STATE_CONTAINER_MISSING' });
    await expect(storeOf(await open('nowhere')).write(headerAt(5n), [])).rejects.toMatchObject({ message: expect.stringContaining('LS_STATE_CONTAINER_MISSING') as unknown });
    const wrongKey = randomBytes(32).toString('base64');
    const stranger = await openAzureContainer({ connectionString: azurite.connectionString.replace(accountKey, wrongKey), container });
    const error: unknown = await storeOf(stranger).readNewest(key, 5n, copied).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'LS_STATE_CREDENTIALS', retryable: false });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(wrongKey);
  });

  it('is reached by a SAS token, within its rights and its time', async () => {
    await newContainer();
    const token = async (rights: string, expiresInMs: number): Promise<string> => {
      const url = await client.generateSasUrl({ permissions: ContainerSASPermissions.parse(rights), expiresOn: new Date(Date.now() + expiresInMs) });
      return new URL(url).search;
    };
    const storeWith = async (rights: string, expiresInMs: number): Promise<StateStore> =>
      storeOf(await openAzureContainer({ containerUrl: client.url, sasToken: await token(rights, expiresInMs) }));
    await (await storeWith('racwdl', 600_000)).write(headerAt(5n), [Buffer.from('state')]);
    expect((await restored(await storeWith('rl', 600_000), 5n))?.chunks.map(String)).toEqual(['state']);
    const refused = [
      async () => (await storeWith('rl', 600_000)).write(headerAt(6n), []),
      async () => (await storeWith('racwdl', -600_000)).readNewest(key, 5n, copied),
      async () => (await storeWith('racwl', 600_000)).discardAbove(key, 1n),
    ];
    for (const call of refused) {
      const error: unknown = await call().then(() => undefined, (thrown: unknown) => thrown);
      expect(inspect(error, { depth: 10, showHidden: true })).toContain('LS_STATE_CREDENTIALS');
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('sig=');
    }
  });

  it('shows nothing of an upload that broke off, and takes the whole one later', async () => {
    const container = await open(await newContainer());
    const name = 'cluster/features-a%2Fb/2/00000000000000000005.snapshot';
    await container.stage(name, Buffer.from('x'.repeat(31)).toString('base64'), Buffer.alloc(1_000_000), never);
    expect(await storeOf(container).readNewest(key, 5n, copied)).toBeUndefined();
    expect(await storeOf(container).list(key)).toEqual([]);
    await storeOf(container).write(headerAt(5n), [Buffer.from('whole')]);
    expect((await restored(storeOf(container), 5n))?.chunks.map(String)).toEqual(['whole']);
  });

  it('never takes a second blob of one name', async () => {
    const container = await open(await newContainer());
    const [left = '', right = ''] = ['left', 'right'].map((text) => Buffer.from(text.padEnd(6)).toString('base64'));
    await container.stage('a', left, Buffer.from('left'), never);
    expect(await container.commit('a', [left], never)).toBe('committed');
    await container.stage('a', right, Buffer.from('right'), never);
    expect(await container.commit('a', [right], never)).toBe('exists');
    expect(String(await client.getBlobClient('a').downloadToBuffer())).toBe('left');
  });

  it('that stops is waited for by a restore, which then has the state', async () => {
    const container = await open(await newContainer());
    await storeOf(container).write(headerAt(5n), [Buffer.from('state')]);
    await azurite.stop();
    const waits = Promise.withResolvers<unknown>();
    const found = restored(storeOf(container, (_attempt, error) => waits.resolve(error)), 5n);
    expect(await waits.promise).toMatchObject({ code: 'LS_STATE_CONTAINER_UNREACHABLE' });
    await azurite.restart();
    expect((await found)?.chunks.map(String)).toEqual(['state']);
  }, 60_000);
});
