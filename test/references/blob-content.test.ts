// Content in a container of ours: by a real Azurite, and by servers that say what it never would.
import { randomBytes, randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { inspect } from 'node:util';
import { BlobSASPermissions, BlobServiceClient, ContainerSASPermissions, type ContainerClient } from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openContainerClient, type ContainerCredentials, type FailureError } from '../../src/azure/container-client.ts';
import { referenceError } from '../../src/core/errors/reference.ts';
import { systemClock } from '../../src/pipeline/system-clock.ts';
import { createAllContent } from '../../src/references/all-content.ts';
import { createBlobContent } from '../../src/references/blob-content.ts';
import type { ContentFetcher } from '../../src/stages/extract/content-fetcher.ts';
import { describeWith } from '../requirements.ts';
import { azuriteNeeds, startAzurite, type Azurite } from '../stores/azurite.ts';
import { content, httpContent, never, referenceTo, refusal, startContentServer } from './content-server.ts';

const malformed: FailureError = (_failure, message) => referenceError('LS_REFERENCE_SETTINGS', message);

async function fetcherOf(credentials: ContainerCredentials, renewed?: () => Promise<ContainerCredentials>, idleMsMax = 15_000): Promise<ContentFetcher> {
  const container = await openContainerClient(credentials, malformed, renewed);
  return createAllContent([createBlobContent({ name: 'photos', container, clock: systemClock, totalMsMax: 30_000, idleMsMax })], httpContent([]));
}

describe('which URIs lead into a container', () => {
  const containerUrl = 'https://account.blob.core.windows.net/photos';

  test.each(['/a.png', '/deep/er/a%20b.png', '/%C3%BC.png', '/a%2Fb', '/a#part', '//a'])('those of its blobs: %s', async (path) => {
    expect((await fetcherOf({ containerUrl, sasToken: 'sig=x' })).sourceOf(containerUrl + path)).toEqual({ kind: 'container', name: 'photos' });
  });

  test.each([
    ['', 'LS_REFERENCE_NOT_ALLOWED'], ['s/a', 'LS_REFERENCE_NOT_ALLOWED'], ['/../other/a', 'LS_REFERENCE_NOT_ALLOWED'], ['/%2e%2e/other/a', 'LS_REFERENCE_NOT_ALLOWED'], ['/a?sig=mine', 'LS_REFERENCE_NOT_ALLOWED'],
    ['/', 'LS_REFERENCE_URI'], ['/a/..%2F..%2Fother/b', 'LS_REFERENCE_URI'], ['/%2e%2e%2fother', 'LS_REFERENCE_URI'], ['/a%5Cb', 'LS_REFERENCE_URI'], ['/a%00', 'LS_REFERENCE_URI'], ['/%ff', 'LS_REFERENCE_URI'],
  ])('and not those of others: %s', async (path, code) => {
    const fetcher = await fetcherOf({ containerUrl, sasToken: 'sig=x' });
    expect(() => fetcher.sourceOf(containerUrl + path)).toThrow(expect.objectContaining({ code }) as Error);
  });

  test('those of another account are not, nor those without encryption', async () => {
    const fetcher = await fetcherOf({ containerUrl, sasToken: 'sig=x' });
    for (const uri of ['https://other.blob.core.windows.net/photos/a', 'http://account.blob.core.windows.net/photos/a', 'https://account.blob.core.windows.net:444/photos/a']) {
      expect(() => fetcher.sourceOf(uri), uri).toThrow(expect.objectContaining({ code: 'LS_REFERENCE_NOT_ALLOWED' }) as Error);
    }
  });
});

describe('what a container answers', () => {
  const answers = [
    [401, 'InvalidAuthenticationInfo', 'LS_REFERENCE_CONTAINER_REFUSED', true],
    [403, 'AuthenticationFailed', 'LS_REFERENCE_CONTAINER_REFUSED', true],
    [404, 'ContainerNotFound', 'LS_REFERENCE_CONTAINER_REFUSED', true],
    [404, 'BlobNotFound', 'LS_REFERENCE_NOT_FOUND', false],
    [409, 'BlobArchived', 'LS_REFERENCE_REFUSED', false],
    [429, 'TooManyRequests', 'LS_REFERENCE_CONTAINER_UNREACHABLE', true],
    [500, 'OperationTimedOut', 'LS_REFERENCE_CONTAINER_UNREACHABLE', true],
    [503, 'ServerBusy', 'LS_REFERENCE_CONTAINER_UNREACHABLE', true],
  ] as const;

  test.each(answers)('%i %s is %s', async (status, code, expected, retryable) => {
    const server = await startContentServer((_request, response) => response.writeHead(status, { 'x-ms-error-code': code }).end());
    const containerUrl = `${server.origin}/account/photos`;
    const fetcher = await fetcherOf({ containerUrl, sasToken: 'sig=vErYsEcReT' });
    const error = await refusal(fetcher.fetchContent(referenceTo(`${containerUrl}/a`), never));
    expect(error).toMatchObject({ code: expected, retryable });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('vErYsEcReT');
    expect(server.requests, 'repeating is the policy of the stage').toHaveLength(1);
  });

  test('late, broken off or never is an outage', async () => {
    const server = await startContentServer((request, response) => {
      if (request.url?.includes('/never') === true) return;
      response.writeHead(200, { 'content-length': content.length, etag: '"1"', 'last-modified': new Date().toUTCString() });
      response.write(content.subarray(0, 5), () => (request.url?.includes('/broken') === true ? setTimeout(() => response.destroy(), 20) : undefined));
    });
    const containerUrl = `${server.origin}/account/photos`;
    const fetcher = await fetcherOf({ containerUrl, sasToken: 'sig=x' }, undefined, 300);
    for (const blob of ['never', 'late', 'broken']) {
      expect(await refusal(fetcher.fetchContent(referenceTo(`${containerUrl}/${blob}`), never)), blob).toMatchObject({ code: 'LS_REFERENCE_CONTAINER_UNREACHABLE' });
    }
    await server.close();
    expect(await refusal(fetcher.fetchContent(referenceTo(`${containerUrl}/a`), never))).toMatchObject({ code: 'LS_REFERENCE_CONTAINER_UNREACHABLE' });
  });
});

const accountKey = randomBytes(32).toString('base64');

describeWith(await azuriteNeeds(), 'a container of Azurite', () => {
  let azurite: Azurite;
  let client: ContainerClient;
  beforeAll(async () => {
    azurite = await startAzurite(accountKey);
    client = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient(`photos-${randomUUID()}`);
    await client.create();
  }, 240_000);
  afterAll(() => azurite.close());

  const upload = (name: string, bytes: Buffer, blobContentEncoding?: string): Promise<unknown> =>
    client.getBlockBlobClient(name).upload(bytes, bytes.length, blobContentEncoding === undefined ? {} : { blobHTTPHeaders: { blobContentEncoding } });
  const open = (): Promise<ContentFetcher> => fetcherOf({ connectionString: azurite.connectionString, container: client.containerName });
  const token = async (rights: string): Promise<string> =>
    new URL(await client.generateSasUrl({ permissions: ContainerSASPermissions.parse(rights), expiresOn: new Date(Date.now() + 600_000) })).search;

  test('gives the blobs of every name, large ones, and those that are stored as packed as they are', { timeout: 240_000 }, async () => {
    const fetcher = await open();
    const large = Buffer.alloc(9_000_001, 'pattern');
    const packed = gzipSync(content);
    for (const [name, bytes, encoding] of [['a.png', content], ['deep/er/ü 100 %.png', content], ['large', large], ['packed', packed, 'gzip']] as const) {
      await upload(name, bytes, encoding);
      const uri = `${client.url}/${name.split('/').map(encodeURIComponent).join('/')}`;
      expect(Buffer.compare(await fetcher.fetchContent(referenceTo(uri, { bytes }), never), bytes), name).toBe(0);
    }
  });

  test('refuses what is not what the event says, and what is not there', { timeout: 240_000 }, async () => {
    const fetcher = await open();
    await upload('a.png', content);
    const uri = `${client.url}/a.png`;
    for (const wrong of [{ sizeBytes: 3n }, { sizeBytes: 300n }, { sha256: '0'.repeat(64) }]) {
      expect(await refusal(fetcher.fetchContent(referenceTo(uri, wrong), never))).toMatchObject({ code: 'LS_REFERENCE_MISMATCH', retryable: false });
    }
    expect(await refusal(fetcher.fetchContent(referenceTo(`${client.url}/none`), never))).toMatchObject({ code: 'LS_REFERENCE_NOT_FOUND' });
    await expect(fetcher.fetchContent(referenceTo(uri), AbortSignal.abort(new Error('lost')))).rejects.toThrow('lost');
  });

  test('is read with a SAS token that can read and no more, and with the one that took its place', { timeout: 240_000 }, async () => {
    await upload('a.png', content);
    const reading = { containerUrl: client.url, sasToken: await token('r') };
    expect(await (await fetcherOf(reading)).fetchContent(referenceTo(`${client.url}/a.png`), never)).toEqual(content);
    const listing = { containerUrl: client.url, sasToken: await token('l') };
    expect(await refusal((await fetcherOf(listing)).fetchContent(referenceTo(`${client.url}/a.png`), never))).toMatchObject({ code: 'LS_REFERENCE_CONTAINER_REFUSED', retryable: true });
    expect(await (await fetcherOf(listing, () => Promise.resolve(reading))).fetchContent(referenceTo(`${client.url}/a.png`), never)).toEqual(content);
  });

  test('is read by whoever has a signed URI of a blob, where its host is on the list', { timeout: 240_000 }, async () => {
    await upload('a.png', content);
    const uri = await client.getBlobClient('a.png').generateSasUrl({ permissions: BlobSASPermissions.parse('r'), expiresOn: new Date(Date.now() + 600_000) });
    expect(await httpContent([new URL(azurite.url).origin]).fetchContent(referenceTo(uri), never)).toEqual(content);
  });
});
