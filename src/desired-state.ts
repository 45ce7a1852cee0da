/** What operators want of every instance (pipeline/desired-state.ts), carried out by this one. */
import { errorFields } from './observation/log-observer.ts';
import type { Access } from './open-access.ts';
import { followDesiredState, type DesiredState, type DesiredStateFollower } from './pipeline/desired-state.ts';
import { createInputPause, type InputPause } from './pipeline/input-pause.ts';
import type { ModelServer } from './models/model-server.ts';

export type AppliedState = DesiredStateFollower & {
  readonly inputPause: InputPause;
  /** From here on models are loaded and unloaded. @param unloaded with what they were started. */
  readonly modelsStarted: (models: Pick<ModelServer, 'load' | 'unload' | 'status'>, unloaded: ReadonlySet<string>) => void;
};

/** Rejects where the state store cannot be read. */
export async function applyDesiredState({ stateStore, configuration, context }: Pick<Access, 'stateStore' | 'configuration' | 'context'>): Promise<AppliedState> {
  const { logger, metrics, readiness, clock } = context;
  const inputPause = createInputPause();
  let served: { readonly models: Pick<ModelServer, 'load' | 'unload' | 'status'>; unloaded: ReadonlySet<string> } | undefined;
  const applyModels = (state: DesiredState): void => {
    if (served === undefined) return;
    const wanted = new Set(state.unloadedModels);
    for (const model of served.models.status().keys()) {
      if (wanted.has(model) === served.unloaded.has(model)) continue;
      const done = wanted.has(model) ? served.models.unload(model) : served.models.load(model);
      done.catch((error: unknown) => logger.error({ model, ...errorFields(error) }, 'a model cannot be loaded or unloaded as an operator wants it'));
    }
    served.unloaded = wanted;
  };
  const changed = (state: DesiredState, before: DesiredState): void => {
    inputPause.set(state.pausedInputs);
    metrics.pausedInputs(state.pausedInputs);
    readiness.inputsPaused(state.pausedInputs);
    for (const topic of state.pausedInputs) if (!before.pausedInputs.includes(topic)) logger.warn({ topic }, 'input paused by an operator: what comes in waits in the log');
    for (const topic of before.pausedInputs) if (!state.pausedInputs.includes(topic)) logger.info({ topic }, 'input resumed');
    applyModels(state);
  };
  let isAway = false;
  const failed = (error: unknown): void => {
    if (!isAway) logger.warn(errorFields(error), 'what operators want cannot be read; what they wanted before counts on');
    isAway = true;
  };
  metrics.pausedInputs([]);
  const follower = await followDesiredState({ stateStore, group: configuration.group, clock, changed, failed });
  return {
    ...follower,
    inputPause,
    modelsStarted: (models, unloaded) => {
      served = { models, unloaded };
      applyModels(follower.current());
    },
  };
}
