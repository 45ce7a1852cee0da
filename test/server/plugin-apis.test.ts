// HTTP of plugins: what fails is answered with a status and a code, and nobody outside is told of what is wrong inside.
import { expect, test } from 'vitest';
import { modelError } from '../../src/core/errors/model.ts';
import { serverError } from '../../src/core/errors/server.ts';
import { createKey } from '../../src/server/api-keys.ts';
import { pluginApis, type HttpApi, type HttpApiHost } from '../../src/server/plugin-apis.ts';
import { keyNamed, startServer, type StartedServer } from './http-fixture.ts';

const host: HttpApiHost = {
  run: () => Promise.reject(serverError('LS_SERVER_NOT_READY', 'models are being loaded')),
  describe: (model) => {
    throw modelError('LS_MODEL_UNKNOWN', `no model is bound to ${model}, in /secret/place`);
  },
};

function start(api: HttpApi): Promise<StartedServer> {
  return startServer(pluginApis(new Map([['loud/shout', api]]), host));
}

test('what a plugin throws is answered by its cause', async () => {
  const { signal } = new AbortController();
  const add: HttpApi = (server, { run, describe }) => {
    server.get('/fine', () => ({ fine: true }));
    server.get('/wrong', () => Promise.reject(modelError('LS_MODEL_INPUT', 'the text is empty')));
    server.get('/later', () => run('m', { kind: 'text', text: 'a' }, signal));
    server.get('/inside', () => describe('m'));
    server.get('/bug', () => Promise.reject(new TypeError('cannot read properties of undefined, in /secret/place')));
  };
  const { url, failed } = await start(add);
  const get = async (path: string): Promise<readonly [number, unknown]> => {
    const response = await fetch(`${url}/plugins/loud/shout${path}`);
    return [response.status, await response.json()];
  };
  expect(await get('/fine')).toEqual([200, { fine: true }]);
  expect(await get('/wrong')).toMatchObject([400, { code: 'LS_MODEL_INPUT', detail: 'the text is empty', type: '/errors/LS_MODEL_INPUT' }]);
  expect(await get('/later')).toMatchObject([503, { code: 'LS_SERVER_NOT_READY', detail: 'models are being loaded' }]);
  expect(await get('/inside')).toMatchObject([404, { code: 'LS_MODEL_UNKNOWN' }]);
  expect(await get('/bug')).toMatchObject([500, { code: 'LS_SERVER_PLUGIN', detail: expect.not.stringContaining('secret') as string }]);
  expect(failed, 'what answers keep back is told here').toEqual([expect.objectContaining({ message: expect.stringMatching(/loud\/shout failed: TypeError: .*secret/) as string })]);
});

test('routes of plugins need a key like others, unless they say that they are open', async () => {
  const { key, sha256 } = createKey();
  const api: HttpApi = (server) => {
    server.get('/fine', () => ({ fine: true }));
    server.get('/open', { config: { scope: 'open' } }, () => ({ fine: true }));
    server.get('/admin', { config: { scope: 'admin' } }, () => ({ fine: true }));
  };
  const { url } = await startServer(pluginApis(new Map([['loud/shout', api]]), host), { keys: [keyNamed('one', sha256, ['predict'])] });
  const status = async (path: string, headers: Record<string, string> = {}): Promise<number> => (await fetch(`${url}/plugins/loud/shout${path}`, { headers })).status;
  expect([await status('/fine'), await status('/fine', { 'x-api-key': key }), await status('/open'), await status('/admin', { 'x-api-key': key })]).toEqual([401, 200, 200, 403]);
});

test('what cannot be added stops the start, with the name of the plugin', async () => {
  await expect(start(() => Promise.reject(new Error('no port of its own')))).rejects.toMatchObject({ code: 'LS_SERVER_PLUGIN', message: expect.stringMatching(/loud\/shout cannot be added: no port of its own/) as string });
});

test('what a plugin registers without waiting for it is its own fault, too', async () => {
  const api: HttpApi = (server) => {
    void server.register(() => Promise.reject(new Error('too late')));
  };
  await expect(start(api)).rejects.toMatchObject({ code: 'LS_SERVER_PLUGIN', message: expect.stringMatching(/too late/) as string });
});

test('a request that never ends does not hold up a stop', async () => {
  const asked = Promise.withResolvers<undefined>();
  const server = await start((scope) => {
    scope.get('/for-ever', () => {
      asked.resolve(undefined);
      return new Promise(() => undefined);
    });
  });
  const answer = fetch(`${server.url}/plugins/loud/shout/for-ever`).catch((error: unknown) => error);
  await asked.promise;
  await server.close();
  expect(await answer).toBeInstanceOf(TypeError);
});
