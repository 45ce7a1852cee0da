// Which model scores a collection, where several families share its name or the model is another one by now.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Define } from '../../src/core/events.generated.ts';
import type { Route } from '../../src/core/routes.ts';
import { compileTemplate, type Template } from '../../src/core/templates.ts';
import { score } from '../../src/server/clusters/score.ts';
import type { ScoringHost } from '../../src/server/clusters/scoring.ts';
import { define, feature, openFold } from '../stages/cluster/fold-harness.ts';
import { startServer } from './http-fixture.ts';
import { startTinyHost, type TinyHost } from './tiny-host.ts';

let tiny: TinyHost;
let vector: Float32Array;
const text = 'a sailing boat';

beforeAll(async () => {
  tiny = await startTinyHost(['texts']);
  ({ vector } = (await tiny.server.run('texts', { kind: 'text', text }, { signal: new AbortController().signal })) as { vector: Float32Array });
});

afterAll(() => tiny.close());

const family = 'news-${language}';
const template = (name: string): Template => {
  const compiled = compileTemplate(name);
  if ('mistake' in compiled) throw new Error(compiled.mistake);
  return compiled;
};
const routeInto = (...families: readonly string[]): Route => ({
  name: 'texts', from: 'text', where: {}, steps: families.map((each) => ({ name: 'embed', task: 'text-features', model: 'texts', collection: template(each) })),
});

/** @param families each with one item of the text in news-en. */
async function start(families: readonly string[], changes: Partial<Define> = {}, routes: readonly Route[] = [routeInto(...families)]) {
  const { model, version: modelVersion, dimensions } = tiny.server.describe('texts');
  const fold = openFold();
  for (const [index, each] of families.entries()) {
    const definition = { model, modelVersion, dimensions, metric: 'cosine', eps: 0.1, minPoints: 1, ...changes } as const;
    await fold.fold(define(definition, each));
    await fold.fold(feature({ item: 'a', at: [...vector], origin: index, family: each, model: definition.model, modelVersion: definition.modelVersion }));
  }
  const clusters: ScoringHost['clusters'] = () => ({
    partitions: () => Promise.resolve([{ ask: async (question) => ({ value: await (await fold.partition.ask((view) => [question(view)] as const))[0], heldAt: { partition: 0, sequence: 7n } }) }]),
  });
  const { url } = await startServer([score({ host: tiny.host, clusters, routes })]);
  return async (body: object): Promise<readonly [number, unknown]> => {
    const response = await fetch(`${url}/score`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ texts: [text], ...body }) });
    return [response.status, await response.json()];
  };
}

test('a collection of a template is scored by the step that feeds its family, also before it holds anything', async () => {
  const ask = await start([family]);
  const known = { role: 'core', clusterId: expect.any(String) as string, nearestCore: { itemId: 'test/a', distance: 0 } };
  expect(await ask({ collection: 'news-en' })).toMatchObject([200, { family, scores: [known], heldAt: [{ partition: 0, sequence: '7' }] }]);
  expect(await ask({ collection: 'news-fr' })).toMatchObject([404, { code: 'LS_SERVER_NOT_FOUND' }]);
  expect(await ask({ collection: 'news-fr', family })).toMatchObject([200, { family, scores: [{ role: 'core', clusterId: null, nearestCore: null }] }]);
});

test('which of several families is meant has to be said', async () => {
  const ask = await start([family, 'news-en']);
  expect(await ask({ collection: 'news-en' })).toMatchObject([400, { code: 'LS_SERVER_REQUEST', detail: expect.stringMatching(/several families have a collection news-en: .*name one as family/) as string }]);
  for (const each of [family, 'news-en']) expect(await ask({ collection: 'news-en', family: each })).toMatchObject([200, { family: each, scores: [{ role: 'core' }] }]);
});

test('vectors of another model are compared with none', async () => {
  const ask = await start([family], { modelVersion: '1.9.0' });
  expect(await ask({ collection: 'news-en' })).toMatchObject([409, { code: 'LS_SERVER_MODEL_CHANGED', detail: `the items of ${family} were made by static-text-encoder 1.9.0, and static-text-encoder 2.0.0 is served` }]);
  const unfed = await start([family], {}, []);
  expect(await unfed({ collection: 'news-en' })).toMatchObject([400, { detail: expect.stringContaining('takes nothing here') as string }]);
});
