/** `POST /v1/embeddings` and `GET /v1/models`, as clients of OpenAI's API speak them. */
import type { FastifyInstance, FastifySchemaValidationError } from 'fastify';
import { z } from 'zod';
import { modelError } from '../core/errors/model.ts';
import { resultsOf, runTaskRequest, type TaskOutcome } from '../tasks/task-request.ts';
import type { TaskResult } from '../tasks/task.ts';
import type { Api, FailureFormat } from './http-port.ts';
import { requireModelFor } from './model-choice.ts';
import { schemaOf } from './schemas.ts';
import type { TaskHost } from './task-host.ts';
import { validationMessage } from './validation.ts';

const task = 'text-features';
const inputsMax = 2_048;

const body = z.strictObject({
  model: z.string().min(1).describe('A model for text-features.'),
  input: z.union([z.string(), z.array(z.string()).min(1).max(inputsMax)]).describe('A text or several. Token ids are not taken: they are those of other models.'),
  encoding_format: z.enum(['float', 'base64']).default('float').describe('Numbers, or base64 of them as little-endian float32.'),
  dimensions: z.int().min(1).optional().describe('Those of the model; others are refused.'),
  user: z.string().optional(),
});
const embedding = z.strictObject({ object: z.literal('embedding'), index: z.int(), embedding: z.union([z.array(z.number()), z.string()]) });
const answer = z.strictObject({
  object: z.literal('list'),
  data: z.array(embedding),
  model: z.string(),
  usage: z.strictObject({ prompt_tokens: z.int(), total_tokens: z.int() }).describe('Nothing is counted here: always 0.'),
});
const model = z.strictObject({ id: z.string(), object: z.literal('model'), created: z.int(), owned_by: z.string() });
const models = z.strictObject({ object: z.literal('list'), data: z.array(model) });

const writeFailure: FailureFormat['write'] = (_request, reply, { status, detail, code }) => {
  const type = status === 401 || status === 403 ? 'authentication_error' : status === 429 ? 'rate_limit_error' : status < 500 ? 'invalid_request_error' : 'server_error';
  return reply.code(status).type('application/json').send({ error: { message: detail, type, param: null, code } });
};

const failure = z.strictObject({ error: z.strictObject({ message: z.string(), type: z.string(), param: z.null(), code: z.string() }) });

export function embeddings(host: TaskHost): Api {
  return {
    name: 'embeddings',
    description: 'Vectors of texts, for clients of the API of OpenAI.',
    add: (server, setFailures) => {
      setFailures(server, { mediaType: 'application/json', schema: schemaOf(failure), write: writeFailure });
      addEmbeddings(server, host);
      const tags = ['embeddings'];
      const described = (name: string) => ({ id: name, object: 'model', created: 0, owned_by: 'labelstream' }) as const;
      server.get('/v1/models', { config: { scope: 'predict' }, schema: { tags, summary: 'Models that embed texts', response: { 200: schemaOf(models) } } }, () => ({ object: 'list', data: host.models().namesFor(task).map(described) }));
      const params = schemaOf(z.strictObject({ model: z.string().min(1) }));
      server.get<{ Params: { model: string } }>('/v1/models/:model', { config: { scope: 'predict' }, schema: { tags, summary: 'A model', params, response: { 200: schemaOf(model) } } }, ({ params: { model: name } }) => described(requireModelFor(host, task, name)));
    },
  };
}

function addEmbeddings(server: FastifyInstance, host: TaskHost): void {
  const schema = { tags: ['embeddings'], summary: 'Embed texts', body: schemaOf(body), response: { 200: schemaOf(answer) } };
  server.post<{ Body: z.output<typeof body> }>('/v1/embeddings', { config: { scope: 'predict', refusals: [404] }, schema, schemaErrorFormatter: mistake }, async ({ body: { model: name, input, encoding_format: format, dimensions }, ending: signal }) => {
    requireModelFor(host, task, name);
    const known = host.models().describe(name).dimensions;
    if (dimensions !== undefined && known !== 0 && dimensions !== known) throw modelError('LS_MODEL_INPUT', `the vectors of ${name} have ${known} dimensions, not ${dimensions}`, { model: name });
    const content = [input].flat().map((text) => ({ text }));
    const outcomes = (await runTaskRequest({ models: host.models(), tasks: host.tasks }, { task, model: name, content }, { signal, priority: 'interactive' })) as readonly TaskOutcome[];
    const vectors = resultsOf(outcomes).map(vectorOf);
    return { object: 'list', data: vectors.map((vector, index) => ({ object: 'embedding', index, embedding: encoded(vector, format) })), model: name, usage: { prompt_tokens: 0, total_tokens: 0 } };
  });
}

function mistake(errors: FastifySchemaValidationError[], part: string): Error {
  const isNoText = errors.some(({ keyword, instancePath }) => keyword === 'type' && instancePath.startsWith('/input/'));
  return new Error(isNoText ? `${part}/input holds what is no text; token ids are not taken, since they are those of other models` : validationMessage(errors, part));
}

function vectorOf(result: TaskResult): Float32Array {
  if (result.kind !== 'features') throw new TypeError(`${task} gave ${result.kind}`);
  return result.vector;
}

function encoded(vector: Float32Array, format: 'float' | 'base64'): number[] | string {
  if (format === 'float') return Array.from(vector);
  const bytes = Buffer.alloc(4 * vector.length);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, 4 * index);
  return bytes.toString('base64');
}
