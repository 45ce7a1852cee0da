/** What interfaces that run tasks are given. */
import type { ModelServer } from '../models/model-server.ts';
import type { Task } from '../tasks/task.ts';

export type TaskHost = {
  /** Throws LS_SERVER_NOT_READY while models are being loaded at the start. */
  readonly models: () => Pick<ModelServer, 'run' | 'describe' | 'load' | 'unload' | 'reload' | 'namesFor' | 'status'>;
  /** Those of plugins included. */
  readonly tasks: ReadonlyMap<string, Task>;
};
