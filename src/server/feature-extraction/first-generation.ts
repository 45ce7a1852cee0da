/** The feature extraction API as its first clients speak it: a task is done while the client waits, and answered as it is. A list in is a list out. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { serverError } from '../../core/errors/server.ts';
import { runTaskRequest, type TaskOutcome } from '../../tasks/task-request.ts';
import { failedAnswer } from '../answers.ts';
import { paramsOf, schemaOf } from '../schemas.ts';
import type { TaskHost } from '../task-host.ts';
import { plainResult } from './answers.ts';
import { defaultModelFor, requireModelFor, taskOf, type TaskDefaults } from '../model-choice.ts';
import { taskRequestOf, type FeatureBody } from './task-inputs.ts';

const oneOrMore = <Type extends z.ZodType>(type: Type) => z.union([type, z.array(type).min(1).max(1_000)]);

const body = schemaOf(
  z
    .strictObject({
      image: oneOrMore(z.string()).optional().describe('Base64, with or without the head of a data URL.'),
      audio: oneOrMore(z.string()).optional().describe('Base64, with or without the head of a data URL.'),
      text: oneOrMore(z.string()).optional().describe('What is to be embedded or classified; or what a caption begins with.'),
      values: oneOrMore(z.record(z.string(), z.number())).optional().describe('Of a record.'),
      classes: z.union([z.array(z.string()), z.array(z.array(z.string()))]).optional().describe('To tell apart: the same for all items, or a list for each.'),
      config: z.record(z.string(), z.unknown()).optional().describe('As the task takes it; the same for all items.'),
    })
    .describe('One item, or lists of them, of which a shorter one is repeated by a whole factor.'),
);
const names = schemaOf(z.array(z.string()));
const ok = schemaOf(z.strictObject({ status: z.literal('ok') }));
const anyAnswer = { description: 'What the task gives; of lists a list, in which an item that failed is `{error, code}`.' };
const tags = ['feature extraction'];

type Names = { readonly task?: string; readonly model?: string };

export function addFirstGeneration(server: FastifyInstance, host: TaskHost, defaults: TaskDefaults): void {
  const predict = { scope: 'predict' } as const;
  const list = (url: string, summary: string, read: (given: Names) => readonly string[]): void => {
    server.get<{ Params: Names }>(url, { config: predict, schema: { tags, summary, params: paramsOf(url), response: { 200: names } } }, ({ params }) => read(params));
  };
  const served = (): ReadonlyMap<string, { readonly tasks: readonly string[] }> => host.models().status();
  const tasksThere = (): readonly string[] => [...host.tasks.keys()].filter((task) => [...served().values()].some(({ tasks }) => tasks.includes(task)));
  const tasksOf = ({ model = '' }: Names): readonly string[] => served().get(host.models().describe(model).name)?.tasks ?? [];
  const modelsOf = ({ task = '' }: Names): readonly string[] => {
    const { name } = taskOf(host, task);
    return [...served()].filter(([, { tasks }]) => tasks.includes(name)).map(([model]) => model);
  };
  list('/api/tasks/list', 'Tasks that there are models for', tasksThere);
  list('/api/models/list', 'Models', () => [...served().keys()]);
  list('/api/models/:model/tasks/list', 'Tasks of a model', tasksOf);
  list('/api/tasks/:task/models/list', 'Models of a task', modelsOf);
  const features = async (request: FastifyRequest<{ Params: Names; Body: FeatureBody }>): Promise<unknown> => {
    const { params, body: given, ending: signal } = request;
    const task = taskOf(host, params.task ?? defaults.task ?? noDefaultTask());
    const model = params.model === undefined ? defaultModelFor(host, task.name, defaults) : requireModelFor(host, task.name, params.model);
    const answer = await runTaskRequest({ models: host.models(), tasks: host.tasks }, taskRequestOf(task, model, given), { signal, priority: 'interactive' });
    return isList(answer) ? plainList(answer) : plainResult(answer);
  };
  // What is a text by itself is JSON like everything else.
  const answerWith = async (request: FastifyRequest<{ Params: Names; Body: FeatureBody }>, reply: FastifyReply): Promise<FastifyReply> => reply.type('application/json').send(JSON.stringify(await features(request)));
  for (const url of ['/api/models/:model/tasks/:task/features', '/api/tasks/:task/models/:model/features', '/api/tasks/:task/features', '/api/features']) {
    server.post<{ Params: Names; Body: FeatureBody }>(url, { config: { scope: 'predict', refusals: [404] }, schema: { tags, summary: 'Do a task', params: paramsOf(url), body, response: { 200: anyAnswer } } }, answerWith);
  }
  const change = (verb: 'start' | 'stop', summary: string, act: (model: string) => Promise<void>): void => {
    const url = `/api/models/:model/${verb}`;
    server.post<{ Params: { model: string } }>(url, { config: { scope: 'admin' }, schema: { tags, summary, params: paramsOf(url), response: { 200: ok } } }, async ({ params: { model } }) => {
      await act(model);
      return { status: 'ok' };
    });
  };
  change('start', 'Load a model', (model) => host.models().load(model));
  change('stop', 'Unload a model, once what it was asked for is answered; whoever asks for more loads it again', (model) => host.models().unload(model));
}

const noDefaultTask = (): never => {
  throw serverError('LS_SERVER_NO_DEFAULT', 'the request names no task, and there is no default one');
};

function isList(answer: Awaited<ReturnType<typeof runTaskRequest>>): answer is readonly TaskOutcome[] {
  return Array.isArray(answer);
}

/** Items fail alone, unless all do. */
function plainList(outcomes: readonly TaskOutcome[]): readonly unknown[] {
  const failures = outcomes.filter((outcome) => 'error' in outcome);
  if (failures.length === outcomes.length) throw failures[0]?.error;
  return outcomes.map((outcome) => {
    if ('result' in outcome) return plainResult(outcome.result);
    const { detail, code } = failedAnswer(outcome.error);
    return { error: detail, code };
  });
}
