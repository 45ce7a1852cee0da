/** What interfaces that run tasks are given. */
import type { ModelServer } from '../models/model-server.ts';
import type { Task } from '../tasks/task.ts';

export type TaskHost = {
  /** Throws LS_SERVER_NOT_READY while models are being loaded at the start. */
  readonly models: () => Pick<ModelServer, 'run' | 'describe' | 'load' | 'unload' | 'reload' | 'status'>;
  /** Those of plugins included. */
  readonly tasks: ReadonlyMap<string, Task>;
};

/** The names of the models that serve a task, in the order of the configuration. */
export function modelsFor({ models }: TaskHost, task: string): readonly string[] {
  return [...models().status()].filter(([, { tasks }]) => tasks.includes(task)).map(([name]) => name);
}
