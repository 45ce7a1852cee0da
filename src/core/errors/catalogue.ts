import { configErrors } from './config.ts';
import type { ErrorArea } from './error.ts';
import { logErrors } from './log.ts';
import { modelErrors } from './model.ts';
import { taskErrors } from './task.ts';
import { pipelineErrors } from './pipeline.ts';

/** Every stable code of the program. docs/errors.md is generated from it; a test holds both against the source. */
export const errorCatalogue = {
  ...configErrors,
  ...logErrors,
  ...pipelineErrors,
  ...taskErrors,
  ...modelErrors,
} as const satisfies ErrorArea;
