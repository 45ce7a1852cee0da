/**
 * The feature extraction API in its second generation, as of its published description: a task is asked for as a job, whose result is fetched by its id.
 * Its failures are FastAPI's: `{detail}`, and 422 with the places of what does not fit.
 */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { taskError } from '../../core/errors/task.ts';
import { resultsOf, runTaskRequest, type TaskOutcome } from '../../tasks/task-request.ts';
import type { ModelState } from '../../models/model-port.ts';
import { failedAnswer } from '../answers.ts';
import { paramsOf, schemaOf, type Schema } from '../schemas.ts';
import type { TaskHost } from '../task-host.ts';
import { namedResult } from './answers.ts';
import type { Job, Jobs } from './jobs.ts';
import { requireModelFor, taskOf } from '../model-choice.ts';
import { publishedTasks, type PublishedTask } from './published-tasks.ts';
import { taskRequestOf } from './task-inputs.ts';

export type Named = Readonly<Record<string, unknown>>;
export type FeatureJobs = Jobs<Named | readonly Named[]>;

const jobState = z.enum(['starting', 'running', 'complete', 'failed']);
const jobStatus = z.object({ id: z.string(), status: jobState });
const modelStatus = schemaOf(z.object({ status: z.enum(['loading', 'running', 'stopped', 'failed', 'uninitialized', 'starting']), jobs: z.array(jobStatus) }));
const config = z.record(z.string(), z.unknown()).optional();
const modelParams = schemaOf(z.strictObject({ model: z.string().min(1) }));
const jobParams = schemaOf(z.strictObject({ job: z.string().min(1) }));
const names = schemaOf(z.array(z.string()));
const tags = ['feature extraction jobs'];

const stateNames: Readonly<Record<ModelState, string>> = { unloaded: 'stopped', loading: 'loading', ready: 'running', unloading: 'stopped', failed: 'failed' };

export function addSecondGeneration(server: FastifyInstance, host: TaskHost, jobs: FeatureJobs): void {
  addLists(server, host);
  for (const task of publishedTasks) addTask(server, host, jobs, task);
  const schema = { tags, summary: 'The state of a model, and its jobs', params: modelParams, response: { 200: modelStatus } };
  server.get<{ Params: { model: string } }>('/api/models/:model/status', { config: { scope: 'predict' }, schema }, ({ params: { model } }) => {
    const { name } = host.models().describe(model);
    const state = host.models().status().get(name)?.state ?? 'unloaded';
    return { status: stateNames[state], jobs: jobs.of(name).map(statusOf) };
  });
}

/** Tasks have the names here that their jobs are asked for under. */
function addLists(server: FastifyInstance, host: TaskHost): void {
  const list = (url: string, summary: string, read: (given: { readonly task?: string; readonly model?: string }) => readonly string[]): void => {
    server.get<{ Params: { task?: string; model?: string } }>(url, { config: { scope: 'predict' }, schema: { tags, summary, params: paramsOf(url), response: { 200: names } } }, ({ params }) => read(params));
  };
  const modelsOf = (task: string): readonly string[] => host.models().namesFor(task);
  list('/api/tasks', 'Tasks that jobs can be asked for', () => askable(host));
  list('/api/models', 'Models', () => [...host.models().status().keys()]);
  list('/api/models/:model/tasks', 'Tasks of a model that jobs can be asked for', ({ model = '' }) => {
    const { name } = host.models().describe(model);
    return publishedWhere(host, (task) => modelsOf(task).includes(name));
  });
  list('/api/tasks/:task/models', 'Models of a task', ({ task = '' }) => modelsOf(taskOf(host, publishedTasks.find(({ name }) => name === task)?.task ?? task).name));
}

function publishedWhere({ tasks }: TaskHost, isThere: (task: string) => boolean): readonly string[] {
  return publishedTasks.filter(({ task }) => tasks.has(task) && isThere(task)).map(({ name }) => name);
}

const askable = (host: TaskHost): readonly string[] => publishedWhere(host, (task) => host.models().namesFor(task).length > 0);

type JobRequest = { readonly Params: { readonly model: string }; readonly Body: Named };

function addTask(server: FastifyInstance, host: TaskHost, jobs: FeatureJobs, task: PublishedTask): void {
  const work = (model: string, body: Named) => {
    if (!host.tasks.has(task.task)) throw taskError('LS_TASK_UNKNOWN', `no model here is made for ${task.name}; jobs can be asked for ${askable(host).join(', ')}`, { task: task.name });
    // What is wrong with the request as a whole is told at once.
    const request = taskRequestOf(taskOf(host, task.task), requireModelFor(host, task.task, model), task.body(body));
    return async (signal: AbortSignal): Promise<Named | readonly Named[]> => {
      const answer = await runTaskRequest({ models: host.models(), tasks: host.tasks }, request, { signal, priority: 'interactive' });
      return Array.isArray(answer) ? resultsOf(answer as readonly TaskOutcome[]).map(namedResult) : namedResult(answer as Exclude<typeof answer, readonly TaskOutcome[]>);
    };
  };
  const predict = { scope: 'predict' } as const;
  const single = schemaOf(z.object({ ...task.single, config }));
  const add = (path: string, kind: string, body: Schema, result: z.ZodType): void => {
    const created = { tags, summary: `Ask for ${task.name}${kind === task.name ? '' : ' of several items'}`, params: modelParams, body, response: { 200: schemaOf(jobStatus) } };
    server.post<JobRequest>(`${path}/:model/jobs`, { config: predict, schema: created }, ({ params: { model }, body: given }) => statusOf(jobs.start({ kind, model }, given, work(model, given))));
    const found = { tags, summary: `Fetch what ${task.name} gave`, params: jobParams, response: { 200: schemaOf(z.object({ status: jobState, result: result.optional(), error: z.string().optional() })) } };
    server.get<{ Params: { job: string } }>(`${path}/jobs/:job`, { config: predict, schema: found }, ({ params: { job } }) => outcomeOf(jobs.find(job, kind)));
  };
  add(`/api/tasks/${task.name}`, task.name, single, task.output);
  add(`/api/tasks/${task.name}/batched`, `batched ${task.name}`, schemaOf(z.object({ ...task.batched, config })), z.array(task.output));
  const legacy = { tags, summary: `Ask for ${task.name}, and wait for it`, params: modelParams, body: single, response: { 200: schemaOf(task.output) } };
  server.post<JobRequest>(`/api/legacy/tasks/${task.name}/:model/jobs`, { config: predict, schema: legacy }, ({ params: { model }, body, ending }) => work(model, body)(ending));
}

const statusOf = ({ id, state }: Pick<Job<unknown>, 'id' | 'state'>) => ({ id, status: state });

function outcomeOf({ state, result, error }: Job<unknown>) {
  return { status: state, ...(state === 'complete' ? { result } : {}), ...(state === 'failed' ? { error: failedAnswer(error).detail } : {}) };
}
