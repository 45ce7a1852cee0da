/** The server that somebody would write around the same models: Fastify, a schema, a check of a key, and a handler that awaits the same scheduler. */
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import { fastify } from 'fastify';
import type { ModelServer } from '../../src/models/model-server.ts';

const record = { type: 'object', additionalProperties: { type: 'number' } };
const answer = {
  type: 'object',
  properties: { prediction: { type: 'string' }, probabilities: { type: 'object', additionalProperties: { type: 'number' } }, model: { type: 'string' }, version: { type: 'string' } },
  required: ['prediction', 'probabilities', 'model', 'version'],
};
const tagged = { type: 'object', properties: { probability: { type: 'number' }, tagName: { type: 'string' } }, required: ['probability', 'tagName'] };
const predictions = { type: 'object', properties: { id: { type: 'string' }, predictions: { type: 'array', items: tagged } }, required: ['id', 'predictions'] };

export async function startBareServer(models: ModelServer, keySha256: string): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const server = fastify({ bodyLimit: 32 * 1024 * 1024 });
  const expected = Buffer.from(keySha256, 'hex');
  server.addHook('onRequest', (request, reply, done) => {
    const given = createHash('sha256').update(String(request.headers['x-api-key'])).digest();
    if (timingSafeEqual(given, expected)) done();
    else void reply.code(401).send();
  });
  server.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  const { signal } = new AbortController();
  server.post<{ Body: Record<string, number> }>('/predict', { schema: { body: record, response: { 200: answer } } }, async ({ body }) => {
    const { model, version, labels } = models.describe('notes');
    const output = await models.run('notes', { kind: 'values', values: body }, { signal, priority: 'interactive' });
    if (output.kind !== 'scores') throw new Error(`a ${output.kind} is no prediction`);
    const probabilities = Object.fromEntries(labels.map((label, index) => [label, output.scores[index] ?? 0]));
    const best = output.scores.indexOf(Math.max(...output.scores));
    return { prediction: labels[best], probabilities, model, version };
  });
  server.post<{ Body: Buffer }>('/classify', { schema: { response: { 200: predictions } } }, async ({ body }) => {
    const { labels } = models.describe('drawings');
    const output = await models.run('drawings', { kind: 'image', bytes: body, contentType: 'image/jpeg' }, { signal, priority: 'interactive' });
    if (output.kind !== 'scores') throw new Error(`a ${output.kind} is no classification`);
    const all = labels.map((tagName, index) => ({ probability: output.scores[index] ?? 0, tagName })).sort((left, right) => right.probability - left.probability);
    return { id: randomUUID(), predictions: all };
  });
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  return { url, close: () => server.close() };
}
