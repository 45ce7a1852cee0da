/** What the model server tells, as log messages. */
import type { Logger } from 'pino';
import type { ModelServerObserver } from '../models/model-server.ts';
import { errorFields } from './log-observer.ts';

export function createModelLog(logger: Logger): ModelServerObserver {
  const took = ({ model, durationMs, memoryBytes }: { readonly model: string; readonly durationMs: number; readonly memoryBytes: number }) => ({ model, durationMs: Math.round(durationMs), memoryBytes });
  return {
    loaded: (load) => logger.info(took(load), 'model loaded'),
    reloaded: (load) => logger.info(took(load), 'model reloaded'),
    unloaded: ({ model, why }) => logger.info({ model, why }, 'model unloaded'),
    loadFailed: ({ model, error }) => logger.error({ model, ...errorFields(error) }, 'model not loaded; what waits for it fails, and the next attempt follows when it is asked for again'),
    reloadFailed: ({ model, error }) => logger.error({ model, ...errorFields(error) }, 'model not reloaded; the old one goes on'),
    workerDied: ({ batchItems }) => logger.warn({ batchItems }, 'an inference worker ended and is replaced; the items of its batch are tried again'),
  };
}

/** All hear everything, in their order. */
export function combineModelObservers(observers: readonly ModelServerObserver[]): ModelServerObserver {
  const tell =
    <Told>(choose: (observer: ModelServerObserver) => ((told: Told) => void) | undefined) =>
    (told: Told): void => {
      for (const observer of observers) choose(observer)?.(told);
    };
  return {
    batchCompleted: tell((observer) => observer.batchCompleted),
    workerDied: tell((observer) => observer.workerDied),
    overloaded: tell((observer) => observer.overloaded),
    stateChanged: tell((observer) => observer.stateChanged),
    loaded: tell((observer) => observer.loaded),
    loadFailed: tell((observer) => observer.loadFailed),
    unloaded: tell((observer) => observer.unloaded),
    reloaded: tell((observer) => observer.reloaded),
    reloadFailed: tell((observer) => observer.reloadFailed),
  };
}
