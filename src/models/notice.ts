/** Tells whoever waits that something has changed; they look for themselves at what. */
export type Notice = {
  /** Resolves at the next `notify`. */
  readonly next: () => Promise<void>;
  readonly notify: () => void;
};

export function createNotice(): Notice {
  let pending = Promise.withResolvers<undefined>();
  return {
    next: () => pending.promise.then(() => undefined),
    notify: () => {
      pending.resolve(undefined);
      pending = Promise.withResolvers();
    },
  };
}
