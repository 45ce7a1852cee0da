/** What would be said over and over while something lasts is said once a minute; in between it is for those who debug. */
import type { Clock } from '../core/clock.ts';

export type RepeatedMessages = {
  /** Whether this was not said within the last minute. */
  readonly isNews: (text: string) => boolean;
};

const quietMs = 60_000;
/** Texts that hold numbers or ids are many. */
const remembered = 1_000;

export function createRepeatedMessages({ elapsedMs }: Pick<Clock, 'elapsedMs'>): RepeatedMessages {
  const toldMs = new Map<string, number>();
  return {
    isNews: (text) => {
      const nowMs = elapsedMs();
      const beforeMs = toldMs.get(text);
      if (beforeMs !== undefined && nowMs - beforeMs < quietMs) return false;
      if (toldMs.size >= remembered) toldMs.clear();
      toldMs.set(text, nowMs);
      return true;
    },
  };
}
