/** Work that is asked for now and fetched later. What has ended is kept for a time, and as long as not too many have ended since; then it is forgotten. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { serverError } from '../../core/errors/server.ts';

export type JobState = 'starting' | 'running' | 'complete' | 'failed';

export type Job<Result> = {
  readonly id: string;
  readonly kind: string;
  readonly model: string;
  readonly state: JobState;
  /** Of a complete one. */
  readonly result?: Result;
  /** Of a failed one. */
  readonly error?: unknown;
};

export type JobLimits = {
  /** Of results, from their end. */
  readonly keptMsMax: number;
  /** Of jobs that have ended and are kept; and of those that have not. */
  readonly countMax: number;
};

export type Jobs<Result> = {
  /** Throws LS_SERVER_JOBS_FULL. @param work begins at once; its signal aborts with `close`. */
  readonly start: (of: Pick<Job<Result>, 'kind' | 'model'>, work: (signal: AbortSignal) => Promise<Result>) => Job<Result>;
  /** Throws LS_SERVER_JOB_UNKNOWN, also for one of another kind. */
  readonly find: (id: string, kind: string) => Job<Result>;
  /** Of a model. */
  readonly of: (model: string) => readonly Job<Result>[];
  readonly close: () => void;
};

type Kept<Result> = { job: Job<Result>; endedMs: number | undefined };

export function createJobs<Result>({ keptMsMax, countMax }: JobLimits, clock: Pick<Clock, 'elapsedMs'>): Jobs<Result> {
  const running = new Map<string, Kept<Result>>();
  /** In the order of their ends. */
  const ended = new Map<string, Kept<Result>>();
  const closing = new AbortController();
  const forget = (): void => {
    for (const [id, { endedMs = 0 }] of ended) {
      if (ended.size <= countMax && clock.elapsedMs() - endedMs < keptMsMax) return;
      ended.delete(id);
    }
  };
  const end = (kept: Kept<Result>, how: Partial<Job<Result>>): void => {
    kept.job = { ...kept.job, ...how };
    kept.endedMs = clock.elapsedMs();
    running.delete(kept.job.id);
    ended.set(kept.job.id, kept);
    forget();
  };
  return {
    start: (of, work) => {
      if (running.size >= countMax) throw serverError('LS_SERVER_JOBS_FULL', `there are ${running.size} jobs that have not ended`);
      const kept: Kept<Result> = { job: { id: randomUUID(), ...of, state: 'starting' }, endedMs: undefined };
      running.set(kept.job.id, kept);
      const begun = kept.job;
      void Promise.resolve()
        .then(() => {
          kept.job = { ...kept.job, state: 'running' };
          return work(closing.signal);
        })
        .then((result) => end(kept, { state: 'complete', result }), (error: unknown) => end(kept, { state: 'failed', error }));
      return begun;
    },
    find: (id, kind) => {
      forget();
      const job = (running.get(id) ?? ended.get(id))?.job;
      if (job?.kind !== kind) throw serverError('LS_SERVER_JOB_UNKNOWN', `there is no job ${JSON.stringify(id)}`, { id });
      return job;
    },
    of: (model) => {
      forget();
      return [...ended.values(), ...running.values()].map(({ job }) => job).filter((job) => job.model === model);
    },
    close: () => closing.abort(),
  };
}
