/** Which inputs a stage does not read for now, because an operator said so. */

export type InputPause = {
  readonly isPaused: (topic: string) => boolean;
  /** @returns to be called when the listener is to hear no more. */
  readonly onChange: (listener: () => void) => () => void;
};

export type SettableInputPause = InputPause & { readonly set: (topics: readonly string[]) => void };

export const nothingPaused: InputPause = { isPaused: () => false, onChange: () => () => undefined };

export function createInputPause(): SettableInputPause {
  let paused: ReadonlySet<string> = new Set();
  const listeners = new Set<() => void>();
  return {
    isPaused: (topic) => paused.has(topic),
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    set: (topics) => {
      paused = new Set(topics);
      for (const listener of listeners) listener();
    },
  };
}
