/** Which model a request means, and which task. */
import { modelError } from '../core/errors/model.ts';
import { serverError } from '../core/errors/server.ts';
import { taskNamed } from '../tasks/registry.ts';
import type { Task } from '../tasks/task.ts';
import type { TaskHost } from './task-host.ts';

export type TaskDefaults = {
  /** Where a request names none. */
  readonly task?: string | undefined;
  /** By task. */
  readonly models: Readonly<Record<string, string>>;
};

/** Names of tasks are taken with underscores, too, as the first clients of this API write them. Throws LS_TASK_UNKNOWN. */
export function taskOf({ tasks }: TaskHost, name: string): Task {
  return taskNamed(tasks.has(name) ? name : name.replaceAll('_', '-'), tasks);
}

/** Throws LS_MODEL_UNKNOWN where it is not there, or is not made for the task. */
export function requireModelFor(host: TaskHost, task: string, model: string): string {
  host.models().describe(model);
  const names = host.models().namesFor(task);
  if (names.includes(model)) return model;
  throw modelError('LS_MODEL_UNKNOWN', `the model ${model} is not made for ${task}; ${names.length === 0 ? 'none is' : `those that are: ${names.join(', ')}`}`, { model, task });
}

/** The configured one; where none is, the only one there is. Throws LS_SERVER_NO_DEFAULT. */
export function defaultModelFor(host: TaskHost, task: string, { models }: TaskDefaults): string {
  const configured = models[task];
  if (configured !== undefined) return requireModelFor(host, task, configured);
  const [only, ...others] = host.models().namesFor(task);
  if (only !== undefined && others.length === 0) return only;
  throw serverError('LS_SERVER_NO_DEFAULT', `${task} has no default model${only === undefined ? ', and no model at all' : `; the models are ${[only, ...others].join(', ')}`}`, { task });
}
