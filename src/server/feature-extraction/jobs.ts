/** Work that is asked for now and fetched later. What has ended is kept for a time, and as long as not too many, or too large ones, have ended since; then it is forgotten. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { serverError } from '../../core/errors/server.ts';
import { approximateBytes } from './approximate-bytes.ts';

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
  /** Of results that are kept, about, but for the last one; and of what jobs that have not ended were asked. */
  readonly bytesMax: number;
};

export type Jobs<Result> = {
  /** Throws LS_SERVER_JOBS_FULL. @param asked is held until the job has ended. @param work begins at once; its signal aborts with `close`. */
  readonly start: (of: Pick<Job<Result>, 'kind' | 'model'>, asked: unknown, work: (signal: AbortSignal) => Promise<Result>) => Job<Result>;
  /** Throws LS_SERVER_JOB_UNKNOWN, also for one of another kind. */
  readonly find: (id: string, kind: string) => Job<Result>;
  /** Of a model. */
  readonly of: (model: string) => readonly Job<Result>[];
  readonly close: () => void;
};

/** @property bytes of what it was asked, then of its result. */
type Kept<Result> = { job: Job<Result>; bytes: number; endedMs: number | undefined };

export function createJobs<Result>({ keptMsMax, countMax, bytesMax }: JobLimits, clock: Pick<Clock, 'elapsedMs'>): Jobs<Result> {
  const running = new Map<string, Kept<Result>>();
  /** In the order of their ends. */
  const ended = new Map<string, Kept<Result>>();
  let [runningBytes, endedBytes] = [0, 0];
  const closing = new AbortController();
  const forget = (): void => {
    for (const [id, { bytes, endedMs = 0 }] of ended) {
      const isRoom = ended.size <= countMax && (endedBytes <= bytesMax || ended.size === 1);
      if (isRoom && clock.elapsedMs() - endedMs < keptMsMax) return;
      ended.delete(id);
      endedBytes -= bytes;
    }
  };
  const end = (kept: Kept<Result>, how: Partial<Job<Result>>): void => {
    kept.job = { ...kept.job, ...how };
    kept.endedMs = clock.elapsedMs();
    running.delete(kept.job.id);
    runningBytes -= kept.bytes;
    kept.bytes = approximateBytes(kept.job.result);
    ended.set(kept.job.id, kept);
    endedBytes += kept.bytes;
    forget();
  };
  return {
    start: (of, asked, work) => {
      const bytes = approximateBytes(asked);
      if (running.size >= countMax || (running.size > 0 && runningBytes + bytes > bytesMax)) throw serverError('LS_SERVER_JOBS_FULL', `there are ${running.size} jobs that have not ended, of about ${runningBytes} bytes`);
      const kept: Kept<Result> = { job: { id: randomUUID(), ...of, state: 'starting' }, bytes, endedMs: undefined };
      running.set(kept.job.id, kept);
      runningBytes += bytes;
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
