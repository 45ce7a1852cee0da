// Requests that somebody would like us to make: by literals in every notation, by names that lead inwards, by redirects. What must not be reached is a real server that counts.
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/pipeline/system-clock.ts';
import type { ResolvedAddress } from '../../src/references/checked-connector.ts';
import { createHttpContent } from '../../src/references/http-content.ts';
import { content, httpContent, never, referenceTo, refusal, startContentServer, type ContentServer } from './content-server.ts';

const secretServer = (): Promise<ContentServer> => startContentServer((_request, response) => response.end(content));

const resolving = (...addresses: string[]) => (): Promise<readonly ResolvedAddress[]> => Promise.resolve(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));

const closed = { allowPrivateAddresses: [] };

describe('an address that is not public', () => {
  test.each([
    '127.0.0.1', '127.1', '2130706433', '0x7f000001', '0x7f.1', '0177.0.0.1', '017700000001', '127.0.0.1.', '0', '0.0.0.0', '10.0.0.1', '169.254.169.254', '0xa9fea9fe', '[::1]', '[::]', '[::127.0.0.1]',
    '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:ffff:a9fe:a9fe]', '[64:ff9b::7f00:1]', '[2002:7f00:1::]', '[fe80::1]', '[fd00:ec2::254]',
    // Full-width digits and dots, which the parser of URLs folds.
    '１２７.0.0.1', '127。0。0。1',
  ])('is not asked, though it is on the list: %s', async (host) => {
    const server = await secretServer();
    const uri = `http://${host}:${server.port}/a`;
    const { origin } = new URL(uri);
    expect(await refusal(httpContent([origin], closed).fetchContent(referenceTo(uri), never))).toMatchObject({ code: 'LS_REFERENCE_ADDRESS', retryable: false });
    expect(server.requests).toHaveLength(0);
  });

  test.each([
    ['127.0.0.1'], ['10.1.2.3'], ['169.254.169.254'], ['168.63.129.16'], ['::1'], ['::ffff:127.0.0.1'], ['64:ff9b::7f00:1'], ['2002:7f00:1::'], ['fe80::1%lo'], ['not an address'],
    ['93.184.216.34', '127.0.0.1'], ['2606:4700:4700::1111', '::1'],
  ])('is not asked by a name that leads to %s %s', async (...addresses) => {
    const server = await secretServer();
    const origin = `http://images.example.com:${server.port}`;
    const error = await refusal(httpContent([origin], { ...closed, resolve: resolving(...addresses) }).fetchContent(referenceTo(origin), never));
    expect(error).toMatchObject({ code: 'LS_REFERENCE_ADDRESS', retryable: false });
    for (const address of addresses) expect(`${error.message} ${JSON.stringify(error.details)}`).not.toContain(address);
    expect(server.requests).toHaveLength(0);
  });

  test('is not asked by the name of this machine, as the system resolves it', async () => {
    const server = await secretServer();
    const origin = `http://localhost:${server.port}`;
    expect(await refusal(httpContent([origin], closed).fetchContent(referenceTo(origin), never))).toMatchObject({ code: 'LS_REFERENCE_ADDRESS' });
    expect(server.requests).toHaveLength(0);
  });

  test('is not asked by a name that answers otherwise the second time', async () => {
    const server = await secretServer();
    const answers = ['127.0.0.2', '127.0.0.1'];
    let asked = 0;
    const resolve = (): Promise<readonly ResolvedAddress[]> => Promise.resolve([{ address: answers[Math.min(asked++, 1)]!, family: 4 }]);
    const origin = `http://images.example.com:${server.port}`;
    // The first answer alone is opened, and nobody listens there: were the name looked up again to connect, the server would be reached.
    const error = await refusal(httpContent([origin], { allowPrivateAddresses: ['127.0.0.2'], resolve }).fetchContent(referenceTo(origin), never));
    expect(error).toMatchObject({ code: 'LS_REFERENCE_UNREACHABLE' });
    expect(asked).toBe(1);
    expect(await refusal(httpContent([origin], { allowPrivateAddresses: ['127.0.0.2'], resolve }).fetchContent(referenceTo(origin), never))).toMatchObject({ code: 'LS_REFERENCE_ADDRESS' });
    expect(server.requests).toHaveLength(0);
  });

  test.each(['127.0.0.1', '[::ffff:127.0.0.1]', '2130706433', 'images.example.com'])('is not asked by a redirect to %s', async (host) => {
    const secret = await secretServer();
    const target = `http://${host}:${secret.port}`;
    const server = await startContentServer((_request, response) => response.writeHead(302, { location: `${target}/latest/meta-data` }).end());
    // The first hop is opened by another address of the loopback, the target is on the list by name.
    const first = `http://first.example.com:${server.port}`;
    const resolve = (hostname: string) => resolving(hostname === 'first.example.com' ? '127.0.0.1' : '127.0.0.3')();
    const fetcher = httpContent([first, new URL(target).origin], { allowPrivateAddresses: ['127.0.0.1'], resolve });
    const outcome = await fetcher.fetchContent(referenceTo(first), never).then(() => 'fetched', (error: unknown) => (error as { readonly code: string }).code);
    // 127.0.0.1 is opened for the first hop, so its literals are reached; what stands for it in another notation or by a name elsewhere is not.
    expect(outcome).toBe(new URL(target).hostname === '127.0.0.1' ? 'fetched' : 'LS_REFERENCE_ADDRESS');
    expect(server.requests).toHaveLength(1);
  });

  test('is asked where it is opened, by its name, too', async () => {
    const server = await secretServer();
    const origin = `http://images.example.com:${server.port}`;
    expect(await httpContent([origin], { resolve: resolving('127.0.0.1') }).fetchContent(referenceTo(origin), never)).toEqual(content);
    expect(server.requests[0]?.headers.host).toBe(`images.example.com:${server.port}`);
  });
});

describe('what the list does not name', () => {
  test.each([
    ['another port', 'http://127.0.0.1:PORT1/'], ['another scheme', 'https://127.0.0.1:PORT/'], ['another name', 'http://localhost:PORT/'], ['a name with a dot at its end', 'http://images.example.com.:PORT/'],
    ['a name below', 'http://a.images.example.com:PORT/'],
  ])('is not asked: %s', async (_what, uri) => {
    const server = await secretServer();
    const at = uri.replace('PORT1', String(server.port === 65_535 ? 1 : server.port + 1)).replace('PORT', String(server.port));
    const fetcher = httpContent([server.origin, `http://images.example.com:${server.port}`], { resolve: resolving('127.0.0.1') });
    expect(() => fetcher.sourceOf(at)).toThrow(expect.objectContaining({ code: 'LS_REFERENCE_NOT_ALLOWED' }) as Error);
    expect(await refusal(fetcher.fetchContent(referenceTo(at), never))).toMatchObject({ code: 'LS_REFERENCE_NOT_ALLOWED', retryable: false });
    expect(server.requests).toHaveLength(0);
  });

  test('is everything, where it names nothing', async () => {
    const server = await secretServer();
    const fetcher = createHttpContent({ origins: [], allowPrivateAddresses: ['127.0.0.1'], redirectsMax: 2, connectionsPerHostMax: 1, totalMsMax: 1_000, idleMsMax: 1_000, clock: systemClock });
    expect(await refusal(fetcher.fetchContent(referenceTo(server.origin), never))).toMatchObject({ code: 'LS_REFERENCE_NOT_ALLOWED' });
    await fetcher.close();
  });
});

test.each([
  'http://user@127.0.0.1/', 'http://user:password@127.0.0.1/', 'http://@127.0.0.1/', 'http://:@127.0.0.1/', 'http:\\\\127.0.0.1/', 'http://127.0.0.1\\@evil.org/', 'http:/127.0.0.1/', 'http:127.0.0.1', 'http:///127.0.0.1/',
  'http://127.0.0.1/\n', 'http://127.0.0.1/a b', ' http://127.0.0.1/', 'http://127.0.0.1/\u0000', 'http://127.0.0.1:99999/', 'http://[::1', 'http://127.0.0.256/', 'http://%zz/', 'http://[fe80::1%25lo]/', 'http://a..b:x/', 'file:///etc/passwd',
])('a URI that is malformed or holds a user is refused before anybody is asked: %j', (uri) => {
  expect(() => httpContent(['http://127.0.0.1']).sourceOf(uri)).toThrow(expect.objectContaining({ code: 'LS_REFERENCE_URI' }) as Error);
});
