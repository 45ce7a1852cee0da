// HTTP of plugins: what fails is answered with a status and a code, and nobody outside is told of what is wrong inside.
import { expect, onTestFinished, test } from 'vitest';
import { modelError } from '../../src/core/errors/model.ts';
import { serverError } from '../../src/core/errors/server.ts';
import { startOperationsServer } from '../../src/server/operations-server.ts';
import type { HttpApi, HttpApiHost } from '../../src/server/plugin-apis.ts';

const host: HttpApiHost = {
  run: () => Promise.reject(serverError('LS_SERVER_NOT_READY', 'models are being loaded')),
  describe: (model) => {
    throw modelError('LS_MODEL_UNKNOWN', `no model is bound to ${model}, in /secret/place`);
  },
};

async function start(api: HttpApi, failed: (api: string, error: unknown) => void = () => undefined): Promise<string> {
  const metrics = { contentType: 'text/plain', metrics: () => Promise.resolve('') };
  const server = await startOperationsServer({ host: '127.0.0.1', port: 0, metrics, readiness: () => ({ ready: true, reasons: [] }), plugins: { apis: new Map([['loud/shout', api]]), host, failed } });
  onTestFinished(() => server.close());
  return server.url;
}

test('what a plugin throws is answered by its cause', async () => {
  const { signal } = new AbortController();
  const told: string[] = [];
  const add: HttpApi = (server, { run, describe }) => {
    server.get('/fine', () => ({ fine: true }));
    server.get('/wrong', () => Promise.reject(modelError('LS_MODEL_INPUT', 'the text is empty')));
    server.get('/later', () => run('m', { kind: 'text', text: 'a' }, signal));
    server.get('/inside', () => describe('m'));
    server.get('/bug', () => Promise.reject(new TypeError('cannot read properties of undefined, in /secret/place')));
  };
  const url = await start(add, (api, error) => told.push(`${api}: ${String(error)}`));
  const get = async (path: string): Promise<readonly [number, unknown]> => {
    const response = await fetch(`${url}/plugins/loud/shout${path}`);
    return [response.status, await response.json()];
  };
  expect(await get('/fine')).toEqual([200, { fine: true }]);
  expect(await get('/wrong')).toEqual([400, { error: { code: 'LS_MODEL_INPUT', message: 'the text is empty' } }]);
  expect(await get('/later')).toEqual([503, { error: { code: 'LS_SERVER_NOT_READY', message: 'models are being loaded' } }]);
  expect(await get('/inside')).toMatchObject([500, { error: { code: 'LS_MODEL_UNKNOWN', message: expect.not.stringContaining('secret') as string } }]);
  expect(await get('/bug')).toEqual([500, { error: { code: 'LS_SERVER_PLUGIN', message: 'the plugin failed' } }]);
  expect(told, 'what answers keep back is told here').toEqual([expect.stringMatching(/^loud\/shout: .*secret/), expect.stringMatching(/^loud\/shout: TypeError: .*secret/)]);
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
  const metrics = { contentType: 'text/plain', metrics: () => Promise.resolve('') };
  const api: HttpApi = (server) => {
    server.get('/for-ever', () => {
      asked.resolve(undefined);
      return new Promise(() => undefined);
    });
  };
  const plugins = { apis: new Map([['loud/shout', api]]), host, failed: () => undefined };
  const server = await startOperationsServer({ host: '127.0.0.1', port: 0, metrics, readiness: () => ({ ready: true, reasons: [] }), plugins });
  const answer = fetch(`${server.url}/plugins/loud/shout/for-ever`).catch((error: unknown) => error);
  await asked.promise;
  await server.close();
  expect(await answer).toBeInstanceOf(TypeError);
});
