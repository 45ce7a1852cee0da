// The label of a row of numbers, by one request.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { predict } from '../../src/server/predict.ts';
import { startServer } from './http-fixture.ts';
import { startTinyHost, type TinyHost } from './tiny-host.ts';

let tiny: TinyHost;

beforeAll(async () => {
  tiny = await startTinyHost(['records', 'texts']);
});

afterAll(() => tiny.close());

test('a banknote is told genuine or forged, with the model that says so', async () => {
  const { url } = await startServer([predict(tiny.host, { models: {} })]);
  const ask = async (body: unknown, query = ''): Promise<readonly [number, unknown]> => {
    const response = await fetch(`${url}/predict${query}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    return [response.status, await response.json()];
  };
  const { model, version, labels } = tiny.server.describe('records');
  const [genuine, forged] = [{ variance: 3.6216, skewness: 8.6661, curtosis: -2.8073, entropy: -0.44699 }, { variance: -3.5637, skewness: -8.3827, curtosis: 12.393, entropy: -1.2823 }];
  const found = await Promise.all([genuine, forged].map((values) => ask(values)));
  for (const answer of found) expect(answer).toMatchObject([200, { model, version, prediction: expect.toBeOneOf([...labels]) as string }]);
  const [first, second] = found.map(([, answer]) => answer as { prediction: string; probabilities: Record<string, number> });
  expect(first!.prediction).not.toBe(second!.prediction);
  expect(Object.values(first!.probabilities).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 5);
  expect(await ask(genuine, '?model=records')).toEqual(found[0]);
  expect(await ask(genuine, '?model=texts')).toMatchObject([404, { code: 'LS_MODEL_UNKNOWN' }]);
  expect(await ask({ variance: 1 })).toMatchObject([400, { code: 'LS_MODEL_INPUT', detail: expect.stringContaining('skewness') as string }]);
  expect(await ask({ ...genuine, entropy: 'low' })).toMatchObject([400, { code: 'LS_SERVER_REQUEST' }]);
  expect(await ask([genuine])).toMatchObject([400, { code: 'LS_SERVER_REQUEST' }]);
});
