/** Inputs that are paused, and models that are not loaded, until an operator says otherwise: on every instance, and after every restart. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { serverError } from '../../core/errors/server.ts';
import type { ModelState } from '../../models/model-port.ts';
import { paramsOf, schemaOf } from '../schemas.ts';
import type { TaskHost } from '../task-host.ts';

export type DesiredStateView = { readonly version: bigint; readonly pausedInputs: readonly string[]; readonly unloadedModels: readonly string[] };

export type DesiredStateHost = {
  readonly inputs: readonly string[];
  /** As this instance has applied it. */
  readonly current: () => DesiredStateView;
  /** Durable, and seen by this instance, when they resolve; the others see it within a second or two. */
  readonly pauseInput: (topic: string, paused: boolean) => Promise<DesiredStateView>;
  readonly unloadModel: (model: string, unloaded: boolean) => Promise<DesiredStateView>;
};

const admin = { scope: 'admin' } as const;
const read = { scope: 'read' } as const;
const version = z.string().describe('Of what operators want; it rises with every change. An instance has applied a change once it tells this version, or a higher one.');

export function addInputs(server: FastifyInstance, host: DesiredStateHost): void {
  const tags = ['administration'];
  const listed = schemaOf(z.strictObject({ inputs: z.array(z.strictObject({ topic: z.string(), paused: z.boolean() })), version }));
  const changed = schemaOf(z.strictObject({ topic: z.string(), paused: z.boolean(), version }));
  server.get('/inputs', { config: read, schema: { tags, summary: 'Which inputs are paused', response: { 200: listed } } }, () => {
    const { pausedInputs, version: at } = host.current();
    return { inputs: host.inputs.map((topic) => ({ topic, paused: pausedInputs.includes(topic) })), version: String(at) };
  });
  for (const [verb, paused, summary] of [['pause', true, 'Read no more of an input; what was read is finished'], ['resume', false, 'Read an input again']] as const) {
    const url = `/inputs/:topic/${verb}`;
    server.post<{ Params: { topic: string } }>(url, { config: admin, schema: { tags, summary, params: paramsOf(url), response: { 202: changed } } }, async ({ params: { topic } }, reply) => {
      if (!host.inputs.includes(topic)) throw serverError('LS_SERVER_NOT_FOUND', `there is no input ${JSON.stringify(topic)}; there are ${host.inputs.join(', ')}`, { topic });
      const { version: at } = await host.pauseInput(topic, paused);
      return reply.code(202).send({ topic, paused, version: String(at) });
    });
  }
}

const modelStates: readonly ModelState[] = ['unloaded', 'loading', 'ready', 'unloading', 'failed'];

export function addModels(server: FastifyInstance, host: DesiredStateHost, { models }: Pick<TaskHost, 'models'>): void {
  const tags = ['administration'];
  const state = z.enum(modelStates);
  const model = z.strictObject({ name: z.string(), tasks: z.array(z.string()), state: state.describe('On this instance.'), wanted: z.enum(['loaded', 'unloaded']), memoryBytes: z.int() });
  const listed = schemaOf(z.strictObject({ models: z.array(model), version }));
  const changed = schemaOf(z.strictObject({ model: z.string(), wanted: z.enum(['loaded', 'unloaded']), version }));
  server.get('/models', { config: read, schema: { tags, summary: 'The models, and whether they are loaded', response: { 200: listed } } }, () => {
    const { unloadedModels, version: at } = host.current();
    const described = [...models().status()].map(([name, { tasks, state: now, memoryBytes }]) => ({ name, tasks, state: now, wanted: unloadedModels.includes(name) ? ('unloaded' as const) : ('loaded' as const), memoryBytes }));
    return { models: described, version: String(at) };
  });
  for (const [verb, unloaded, summary] of [['load', false, 'Load a model'], ['unload', true, 'Unload a model, once what it was asked for is answered; whoever asks for more loads it again']] as const) {
    const url = `/models/:model/${verb}`;
    server.post<{ Params: { model: string } }>(url, { config: admin, schema: { tags, summary, params: paramsOf(url), response: { 202: changed } } }, async ({ params: { model: name } }, reply) => {
      models().describe(name);
      const { version: at } = await host.unloadModel(name, unloaded);
      return reply.code(202).send({ model: name, wanted: unloaded ? 'unloaded' : 'loaded', version: String(at) });
    });
  }
}
