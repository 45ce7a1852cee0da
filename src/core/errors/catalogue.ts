import { audioErrors } from './audio.ts';
import { cliErrors } from './cli.ts';
import { clusterErrors } from './cluster.ts';
import { codecErrors } from './codec.ts';
import { clusteringErrors } from './clustering.ts';
import { configErrors } from './config.ts';
import { errorFactory, type ErrorArea } from './error.ts';
import { extractErrors } from './extract.ts';
import { imageErrors } from './image.ts';
import { kafkaErrors } from './kafka.ts';
import { logErrors } from './log.ts';
import { mediaErrors } from './media.ts';
import { modelErrors } from './model.ts';
import { taskErrors } from './task.ts';
import { pipelineErrors } from './pipeline.ts';
import { pluginErrors } from './plugin.ts';
import { projectionErrors } from './projection.ts';
import { pullErrors } from './pull.ts';
import { referenceErrors } from './reference.ts';
import { registryErrors } from './registry.ts';
import { serverErrors } from './server.ts';
import { stateErrors } from './state.ts';
import { viewErrors } from './view.ts';

/** Every stable code of the program. docs/errors.md is generated from it; a test holds both against the source. */
export const errorCatalogue = {
  ...audioErrors,
  ...cliErrors,
  ...clusterErrors,
  ...codecErrors,
  ...clusteringErrors,
  ...configErrors,
  ...extractErrors,
  ...imageErrors,
  ...serverErrors,
  ...kafkaErrors,
  ...logErrors,
  ...mediaErrors,
  ...pipelineErrors,
  ...pluginErrors,
  ...projectionErrors,
  ...pullErrors,
  ...referenceErrors,
  ...registryErrors,
  ...stateErrors,
  ...taskErrors,
  ...modelErrors,
  ...viewErrors,
} as const satisfies ErrorArea;

export type ErrorCode = keyof typeof errorCatalogue;

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCatalogue, code);
}

/** Makes an error of any area anew from its parts, as they come out of another thread. */
export const catalogueError = errorFactory(errorCatalogue);
