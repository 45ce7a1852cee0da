/** Whether the process does what it is there for: its stages run, none has failed, no partition waits for a failing system. */
import type { TopicPartition } from '../core/records.ts';
import { silentObserver, type RunnerObserver } from '../pipeline/observe.ts';

export type Readiness = {
  readonly observer: (stage: string) => RunnerObserver;
  readonly started: () => void;
  readonly stopping: () => void;
  /** Something that the process needs and waits for, and why; undefined: it is there. */
  readonly waiting: (forWhat: string, reason: string | undefined) => void;
  /** By an operator, which makes nothing unready: what is wanted is done. */
  readonly inputsPaused: (topics: readonly string[]) => void;
  readonly state: () => { readonly ready: boolean; readonly reasons: readonly string[]; readonly pausedInputs: readonly string[] };
};

export function createReadiness(): Readiness {
  const reasons = new Map<string, string>([['start', 'starting']]);
  let pausedInputs: readonly string[] = [];
  const nameOf = (stage: string, { topic, partition }: TopicPartition): string => `${stage} ${topic}-${partition}`;
  return {
    observer: (stage) => ({
      ...silentObserver,
      paused: (partition, code) => void reasons.set(nameOf(stage, partition), `${nameOf(stage, partition)} is paused by ${code}`),
      resumed: (partition) => void reasons.delete(nameOf(stage, partition)),
      failed: (error, partition) => {
        const name = partition === undefined ? stage : nameOf(stage, partition);
        reasons.set(name, `${name} stopped: ${error.message}`);
      },
    }),
    started: () => void reasons.delete('start'),
    stopping: () => void reasons.set('stop', 'stopping'),
    waiting: (forWhat, reason) => {
      if (reason === undefined) reasons.delete(`wait ${forWhat}`);
      else reasons.set(`wait ${forWhat}`, `waiting for the ${forWhat}: ${reason}`);
    },
    inputsPaused: (topics) => {
      pausedInputs = topics;
    },
    state: () => ({ ready: reasons.size === 0, reasons: [...reasons.values()], pausedInputs }),
  };
}
