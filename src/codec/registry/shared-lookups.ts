/** Work that many wait for and that is done once: per key one flight, which ends early when the last who waits for it has gone. */

export type Waiting = { readonly signal: AbortSignal };

type Flight = { readonly done: Promise<void>; readonly abandon: AbortController; waiters: number };

/** @param work must settle when its signal aborts. */
export function createSharedLookups<Key>(work: (key: Key, signal: AbortSignal) => Promise<void>) {
  const flights = new Map<Key, Flight>();

  function start(key: Key): Flight {
    const abandon = new AbortController();
    const flight: Flight = { done: work(key, abandon.signal).finally(() => forget(key, flight)), abandon, waiters: 0 };
    flights.set(key, flight);
    return flight;
  }

  function forget(key: Key, flight: Flight): void {
    if (flights.get(key) === flight) flights.delete(key);
  }

  /** Rejects with the failure of the work, or the reason of the waiter's own signal. */
  return async (key: Key, waiting?: Waiting): Promise<void> => {
    const flight = flights.get(key) ?? start(key);
    flight.waiters += 1;
    try {
      await unlessAborted(flight.done, waiting?.signal);
    } finally {
      flight.waiters -= 1;
      if (flight.waiters === 0) {
        forget(key, flight);
        flight.abandon.abort();
      }
    }
  };
}

async function unlessAborted(done: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return done;
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    await Promise.race([done, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
