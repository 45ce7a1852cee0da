import { cliErrors } from './cli.ts';
import { clusterErrors } from './cluster.ts';
import { codecErrors } from './codec.ts';
import { clusteringErrors } from './clustering.ts';
import { configErrors } from './config.ts';
import type { ErrorArea } from './error.ts';
import { extractErrors } from './extract.ts';
import { logErrors } from './log.ts';
import { modelErrors } from './model.ts';
import { taskErrors } from './task.ts';
import { pipelineErrors } from './pipeline.ts';
import { serverErrors } from './server.ts';
import { stateErrors } from './state.ts';

/** Every stable code of the program. docs/errors.md is generated from it; a test holds both against the source. */
export const errorCatalogue = {
  ...cliErrors,
  ...clusterErrors,
  ...codecErrors,
  ...clusteringErrors,
  ...configErrors,
  ...extractErrors,
  ...serverErrors,
  ...logErrors,
  ...pipelineErrors,
  ...stateErrors,
  ...taskErrors,
  ...modelErrors,
} as const satisfies ErrorArea;
