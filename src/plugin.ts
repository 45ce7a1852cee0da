/**
 * What a plugin is: an ES module whose default export is a `Plugin`. `plugins` in the configuration names it, as a path or a package; docs/plugins.md tells how
 * to write one. Names within a plugin are its own: others see them as PLUGIN/NAME, but tasks, which routes name as they are.
 */
import { taskError } from './core/errors/task.ts';
import type { Consumer } from './models/consumers.ts';
import type { PluginModel } from './models/plugins/plugin-model.ts';
import type { HttpApi } from './server/plugin-apis.ts';
import type { Task } from './tasks/task.ts';

export type { ConsumedModel, Consumer, Consumption } from './models/consumers.ts';
export type { ModelDescription, ModelInput, ModelOutput, TranscriptSegment, Box } from './models/model-port.ts';
export type { DecodedImage, OpenPluginModel, PluginModel, PluginModelParts, PluginSession, PluginTensor } from './models/plugins/plugin-model.ts';
export type { HttpApi, HttpApiHost } from './server/plugin-apis.ts';
export type { Task, TaskEvent, TaskParameters, TaskResult } from './tasks/task.ts';

/** Raised by whatever a plugin that was written for the version before could not bear. */
export const pluginApiVersion = 1;

export type Plugin = {
  /** That of the plugin API that it was written for: a number of its own, not `pluginApiVersion`, which is the program's. */
  readonly apiVersion: number;
  /** Of a-z 0-9 and -. */
  readonly name: string;
  /** Beside those of the program; none may be there already. */
  readonly tasks?: readonly Task[];
  /** What manifests of `kind: plugin` name in `opens`. */
  readonly models?: Readonly<Record<string, PluginModel>>;
  /** What `models.*.consumer` names. */
  readonly consumers?: Readonly<Record<string, Consumer>>;
  /** Each below /plugins/PLUGIN/NAME of the HTTP server. */
  readonly httpApis?: Readonly<Record<string, HttpApi>>;
};

/** What a task of a plugin throws where an event holds nothing for it: the event becomes a dead letter, and nothing is tried again. */
export function inputError(task: string, message: string): Error {
  return taskError('LS_TASK_INPUT', `${task}: ${message}`, { task });
}
