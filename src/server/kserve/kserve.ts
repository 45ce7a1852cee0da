/** The open inference protocol (KServe v2) with Triton's extensions: binary tensors, model repository, configuration, statistics. */
import type { FastifyInstance } from 'fastify';
import type { ValidateFunction } from 'ajv';
import { Ajv } from 'ajv';
import { z } from 'zod';
import { serverError } from '../../core/errors/server.ts';
import type { ModelState } from '../../models/model-port.ts';
import type { ModelStatisticsCollector } from '../../models/model-statistics.ts';
import { taskOf } from '../model-choice.ts';
import type { Api, DocumentedRequest, FailureFormat } from '../http-port.ts';
import { addJsonBodies, utf8Text } from '../json-bodies.ts';
import { paramsOf, schemaOf } from '../schemas.ts';
import type { TaskHost } from '../task-host.ts';
import { headerLengthName, infer, inferBody, inferredBody, sendInferred } from './inference.ts';
import { inputsOf, outputsOf } from './task-tensors.ts';

export type KserveOptions = { readonly host: TaskHost; readonly version: string; readonly isReady: () => boolean; readonly statistics: ModelStatisticsCollector['of'] };

const tags = ['kserve'];
const extensions = ['binary_tensor_data', 'model_repository', 'model_configuration', 'statistics'];
const states: Readonly<Record<ModelState, string>> = { unloaded: 'UNAVAILABLE', loading: 'LOADING', ready: 'READY', unloading: 'UNLOADING', failed: 'UNAVAILABLE' };
const anyObject = schemaOf(z.looseObject({}));

const failures: FailureFormat = {
  mediaType: 'application/json',
  schema: schemaOf(z.strictObject({ error: z.string(), code: z.string() })),
  write: (_request, reply, { status, detail, code }) => reply.code(status).type('application/json').send({ error: detail, code }),
};
/** An answer that its status says all of. */
const nothing = { type: 'null', description: 'Yes, or done.' };

export function kserve(options: KserveOptions): Api {
  return {
    name: 'kserve',
    description: 'The open inference protocol, as KServe and Triton speak it.',
    add: (server, setFailures) => {
      setFailures(server, failures);
      // Triton's clients do not say what they send.
      addJsonBodies(server, '*');
      addHealth(server, options);
      addModels(server, options);
      addRepository(server, options);
      addInference(server, options);
    },
  };
}

type OfModel = { readonly model: string; readonly version?: string };

/** Every route of a model is there with a version, too: the one that it has. */
function withVersion(path: string): readonly string[] {
  return [`/v2/models/:model${path}`, `/v2/models/:model/versions/:version${path}`];
}

/** Throws LS_MODEL_UNKNOWN, LS_SERVER_NOT_FOUND. */
function modelOf({ host }: KserveOptions, { model, version }: OfModel) {
  const models = host.models();
  const description = models.describe(model);
  const status = models.status().get(model);
  if (status === undefined) throw new TypeError(`${model} has no status`);
  if (version !== undefined && version !== description.version && version !== '1') throw serverError('LS_SERVER_NOT_FOUND', `the model ${model} has the version ${description.version}, and no ${version}`, { model, version });
  return { description, status, task: taskOf(host, description.task) };
}

function addHealth(server: FastifyInstance, options: KserveOptions): void {
  const { version, isReady } = options;
  const config = { scope: 'open' } as const;
  server.get('/v2', { config, schema: { tags, summary: 'What this is', response: { 200: anyObject } } }, () => ({ name: 'labelstream', version, extensions }));
  server.get('/v2/health/live', { config, schema: { tags, summary: 'Whether the process runs', response: { 200: nothing } } }, (_request, reply) => reply.code(200).send());
  server.get('/v2/health/ready', { config, schema: { tags, summary: 'Whether requests are taken', response: { 200: nothing, 503: { type: 'null', description: 'Not yet, or no longer.' } } } }, (_request, reply) => reply.code(isReady() ? 200 : 503).send());
  for (const url of withVersion('/ready')) {
    server.get<{ Params: OfModel }>(url, { config: { scope: 'predict' }, schema: { tags, summary: 'Whether a model is loaded', params: paramsOf(url), response: { 200: nothing } } }, ({ params }, reply) => {
      const { state } = modelOf(options, params).status;
      // As Triton says it.
      if (state !== 'ready') throw serverError('LS_SERVER_REQUEST', `the model ${params.model} is ${state}`, { model: params.model, state });
      return reply.code(200).send();
    });
  }
}

function addModels(server: FastifyInstance, options: KserveOptions): void {
  const get = (path: string, summary: string, read: (params: OfModel) => object): void => {
    for (const url of withVersion(path)) {
      server.get<{ Params: OfModel }>(url, { config: { scope: 'predict' }, schema: { tags, summary, params: paramsOf(url), response: { 200: anyObject } } }, ({ params }) => read(params));
    }
  };
  get('', 'The tensors of a model', (params) => {
    const { description, status, task } = modelOf(options, params);
    return { name: params.model, versions: [description.version], platform: 'labelstream', inputs: inputsOf(status, description, task), outputs: outputsOf(description, task) };
  });
  get('/config', 'How a model is served', (params) => {
    const { description, status, task } = modelOf(options, params);
    const described = (tensors: ReturnType<typeof inputsOf>) => tensors.map(({ name, datatype, shape }) => ({ name, data_type: `TYPE_${datatype === 'BYTES' ? 'STRING' : datatype}`, dims: shape }));
    return {
      name: params.model, platform: 'labelstream', backend: 'labelstream', max_batch_size: 0, input: described(inputsOf(status, description, task)), output: described(outputsOf(description, task)), dynamic_batching: {},
      parameters: { tasks: { string_value: status.tasks.join(',') }, labels: { string_value: JSON.stringify(description.labels) } },
    };
  });
  get('/stats', 'What a model has done', (params) => ({ model_stats: [statisticsOf(options, params.model, modelOf(options, params).description.version)] }));
  server.get('/v2/models/stats', { config: { scope: 'predict' }, schema: { tags, summary: 'What all models have done', response: { 200: anyObject } } }, () => ({
    model_stats: [...options.host.models().status().keys()].map((model) => statisticsOf(options, model, options.host.models().describe(model).version)),
  }));
}

const nanosecondsPerMillisecond = 1_000_000;

function statisticsOf({ statistics }: KserveOptions, name: string, version: string): object {
  const { succeeded, failed, batches, computeMs, lastAtMs = 0 } = statistics(name);
  const none = { count: 0, ns: 0 };
  const compute = { count: batches, ns: Math.round(computeMs * nanosecondsPerMillisecond) };
  return {
    name, version, last_inference: Math.round(lastAtMs), inference_count: succeeded, execution_count: batches,
    inference_stats: { success: { ...compute, count: succeeded }, fail: { count: failed, ns: 0 }, queue: none, compute_input: none, compute_infer: compute, compute_output: none, cache_hit: none, cache_miss: none },
    batch_stats: [],
  };
}

/** Most clients send none. */
const repositoryBody = schemaOf(z.looseObject({ parameters: z.record(z.string(), z.unknown()).optional() }).nullable());
type RepositoryBody = { readonly parameters?: Readonly<Record<string, unknown>> } | null | undefined;

function addRepository(server: FastifyInstance, { host }: KserveOptions): void {
  const index = { tags, summary: 'The models, loaded or not', body: schemaOf(z.looseObject({ ready: z.boolean().optional() }).nullable()), response: { 200: schemaOf(z.array(z.looseObject({}))) } };
  server.post<{ Body: { readonly ready?: boolean } | null }>('/v2/repository/index', { config: { scope: 'predict' }, schema: index }, ({ body }) => {
    const models = host.models();
    const all = [...models.status()].map(([name, { state, error }]) => ({ name, version: models.describe(name).version, state: states[state], reason: error?.message ?? (state === 'unloaded' ? 'unloaded' : '') }));
    return body?.ready === true ? all.filter(({ state }) => state === 'READY') : all;
  });
  for (const [verb, summary, act] of [
    ['load', 'Load a model, or load it anew: the old one goes on where the new one fails', (model: string) => (host.models().status().get(model)?.state === 'ready' ? host.models().reload(model) : host.models().load(model))],
    ['unload', 'Unload a model, once what it was asked for is answered', (model: string) => host.models().unload(model)],
  ] as const) {
    const url = `/v2/repository/models/:model/${verb}`;
    const schema = { tags, summary, params: paramsOf(url), body: repositoryBody, response: { 200: nothing } };
    server.post<{ Params: { model: string }; Body: RepositoryBody }>(url, { config: { scope: 'admin' }, schema }, async ({ params: { model }, body }, reply) => {
      const unknown = Object.keys(body?.parameters ?? {}).find((parameter) => parameter !== 'unload_dependents');
      if (unknown !== undefined) throw serverError('LS_SERVER_REQUEST', `a model is loaded as it is: the parameter ${unknown} is not offered here`, { model });
      await act(model);
      return reply.code(200).send();
    });
  }
}

const bytesBehindJson = { schema: { type: 'string', format: 'binary', description: 'The JSON, and right behind it the bytes of the tensors that have `binary_data_size` among their parameters.' } };
const documented: DocumentedRequest = {
  body: { content: { 'application/json': { schema: schemaOf(inferBody) }, 'application/octet-stream': bytesBehindJson } },
  headers: { type: 'object', properties: { [headerLengthName]: { type: 'string', pattern: '^\\d+$', description: 'How many bytes of the body are JSON; without it all.' } } },
};

function addInference(server: FastifyInstance, { host, ...options }: KserveOptions): void {
  const validate = new Ajv({ strict: false }).compile(schemaOf(inferBody) as object);
  server.register((scope, _options, done) => {
    // What is behind the JSON is not JSON, so the header is parsed here, by its length.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, parsed) => parsed(null, body));
    for (const url of withVersion('/infer')) {
      const schema = { tags, summary: 'Do the task of a model for every item of the tensors', params: paramsOf(url), response: { 200: { description: 'Tensors, in JSON or behind it.', content: { 'application/json': { schema: schemaOf(inferredBody) }, 'application/octet-stream': bytesBehindJson } } } };
      scope.post<{ Params: OfModel; Body: Buffer | undefined }>(url, { config: { scope: 'predict', documented }, schema }, async ({ params, body = Buffer.alloc(0), headers, ending: signal }, reply) => {
        modelOf({ host, ...options }, params);
        const length = Number(headers[headerLengthName] ?? body.length);
        if (!Number.isInteger(length) || length < 0 || length > body.length) throw serverError('LS_SERVER_REQUEST', `${headerLengthName} is no length within the body`);
        const header = parsedHeader(body.subarray(0, length), validate);
        return sendInferred(reply, await infer(host, { model: params.model, body: header, raw: body.subarray(length), signal }));
      });
    }
    done();
  });
}

type InferHeader = z.output<typeof inferBody>;

function parsedHeader(bytes: Buffer, validate: ValidateFunction): InferHeader {
  const text = utf8Text(bytes, 'the JSON of the request');
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (error) {
    throw serverError('LS_SERVER_REQUEST', `the request is no JSON: ${(error as Error).message}`, {}, { cause: error });
  }
  if (!validate(header)) {
    const [first] = validate.errors ?? [];
    throw serverError('LS_SERVER_REQUEST', `body${first?.instancePath ?? ''} ${first?.message ?? 'does not fit'}`);
  }
  return header as InferHeader;
}
