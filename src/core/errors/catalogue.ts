import type { ErrorArea } from './error.ts';
import { logErrors } from './log.ts';
import { pipelineErrors } from './pipeline.ts';

/** Every stable code of the program. docs/errors.md is generated from it; a test holds both against the source. */
export const errorCatalogue = {
  ...logErrors,
  ...pipelineErrors,
} as const satisfies ErrorArea;
