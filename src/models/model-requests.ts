/** One item's way through a model server: checked, queued, settled; or refused. */
import type { Clock } from '../core/clock.ts';
import { catalogueError } from '../core/errors/catalogue.ts';
import { modelError } from '../core/errors/model.ts';
import type { ItemOutcome } from './inference.ts';
import type { ModelLifecycle } from './model-lifecycle.ts';
import type { ModelInput, ModelOutput, Priority } from './model-port.ts';
import { overloaded, type Item, type ServedModel } from './served-model.ts';

type Request = { readonly model: ServedModel; readonly input: ModelInput; readonly signal: AbortSignal; readonly priority: Priority };

type Server = {
  /** Why no item is taken at present, if so. */
  readonly refusal: () => Error | undefined;
  readonly clock: Clock;
  readonly lifecycle: Pick<ModelLifecycle, 'load' | 'lessWork'>;
  readonly observer: { readonly overloaded?: (refusal: { readonly model: string; readonly priority: Priority }) => void };
  readonly pump: () => void;
};

export async function runItem({ model, input, signal, priority }: Request, { refusal, clock, lifecycle, observer, pump }: Server): Promise<ModelOutput> {
  const { name } = model.binding;
  const refused = refusal();
  if (refused !== undefined) throw refused;
  signal.throwIfAborted();
  const enqueuedAtMs = clock.elapsedMs();
  if (model.lifecycle.state === 'failed' && enqueuedAtMs < model.lifecycle.retryAtMs) throw model.lifecycle.error;
  const { itemBytesMax, estimateLength } = model.traits;
  const bytes = inputBytes(input);
  if (bytes > itemBytesMax) {
    const message = `an item for the model ${name} has about ${bytes} bytes; at most ${itemBytesMax} are taken`;
    throw modelError('LS_MODEL_INPUT', message, { model: name, bytes });
  }
  const settled = Promise.withResolvers<ItemOutcome | { readonly error: Error }>();
  const item: Item = { group: estimateLength(input), bytes, enqueuedAtMs, input, priority, settle: settled.resolve };
  if (!model.queues[priority].offer(item)) {
    observer.overloaded?.({ model: name, priority });
    throw overloaded(model, priority);
  }
  model.usedAtMs = enqueuedAtMs;
  const abort = (): void => {
    model.queues[priority].remove(item);
    model.draining?.[priority].remove(item);
    lifecycle.lessWork();
    // An item that runs already is not interrupted; its result finds nobody.
    settled.reject(signal.reason);
  };
  signal.addEventListener('abort', abort, { once: true });
  askForLoad(model, lifecycle);
  pump();
  try {
    return outputOf(model, await settled.promise);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** A model that is being unloaded is loaded again behind that. What waits is told of a failure by the load itself. */
function askForLoad(model: ServedModel, lifecycle: Server['lifecycle']): void {
  const { state } = model.lifecycle;
  if (model.isLoadAsked || state === 'ready' || state === 'loading') return;
  model.isLoadAsked = true;
  lifecycle.load(model).catch(() => undefined);
}

function outputOf({ binding: { name }, traits }: ServedModel, outcome: ItemOutcome | { readonly error: Error }): ModelOutput {
  if ('error' in outcome) throw outcome.error;
  if ('failure' in outcome) throw catalogueError(outcome.failure.code, `${name}: ${outcome.failure.message}`, { model: name, ...outcome.failure.details });
  if ('answer' in outcome) return outcome.answer;
  return traits.description.dimensions > 0 ? { kind: 'vector', vector: outcome.output } : { kind: 'scores', scores: outcome.output };
}

/** About what the item occupies: encoded pixels or sound, UTF-16 units, or names and doubles. */
function inputBytes(input: ModelInput): number {
  if (input.kind === 'audio') return input.bytes.length;
  if (input.kind === 'image') return input.bytes.length + 2 * [input.text ?? '', ...(input.classes ?? [])].reduce((total, { length }) => total + length, 0);
  if (input.kind === 'text') return 2 * input.text.length;
  let bytes = 0;
  for (const field of Object.keys(input.values)) bytes += 2 * field.length + 8;
  return bytes;
}
