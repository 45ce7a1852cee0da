/**
 * The labels of clusters as a file has them, read anew now and then: at the start, and when a request finds what was read too old. Answers do not wait for that:
 * they go on with what is there, also where it cannot be read any more. Only until it was read once they wait for it, or fail as it fails.
 */
import type { Clock } from '../../core/clock.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import { serverError } from '../../core/errors/server.ts';
import { rejectionOf } from '../../pipeline/abort.ts';
import { parseClusterLabels, type ClusterLabels } from './cluster-labels.ts';

export type LabelSource = {
  /** Rejects with LS_SERVER_LABELS where they were never read, and with the signal's reason. */
  readonly labels: (signal: AbortSignal) => Promise<ClusterLabels>;
  readonly close: () => void;
};

export type LabelSourceOptions = {
  readonly read: (signal: AbortSignal) => Promise<Uint8Array>;
  readonly refreshMs: number;
  readonly clock: Pick<Clock, 'elapsedMs'>;
  /** Is told of each reading that failed. */
  readonly failed: (error: unknown) => void;
};

export function createLabelSource({ read, refreshMs, clock, failed }: LabelSourceOptions): LabelSource {
  const closing = new AbortController();
  let current: ClusterLabels | undefined;
  let triedAtMs = -Infinity;
  let reading: Promise<ClusterLabels> | undefined;

  async function readAnew(): Promise<ClusterLabels> {
    triedAtMs = clock.elapsedMs();
    try {
      return (current = parseClusterLabels(await read(closing.signal)));
    } catch (error) {
      if (!closing.signal.aborted) failed(error);
      throw unreadable(error);
    } finally {
      reading = undefined;
    }
  }

  return {
    labels: async (signal) => {
      if (current !== undefined) {
        // Whoever reads tells what is wrong.
        if (clock.elapsedMs() - triedAtMs >= refreshMs) (reading ??= readAnew()).catch(() => undefined);
        return current;
      }
      return Promise.race([(reading ??= readAnew()), rejectionOf(signal)]);
    },
    close: () => closing.abort(),
  };
}

/** Without what its message may hold of paths, which is for the log alone. */
function unreadable(error: unknown): Error {
  if (error instanceof LabelstreamError && error.code === 'LS_SERVER_LABELS') return error;
  const reason = error instanceof LabelstreamError ? error.code : error instanceof Error && 'code' in error ? String(error.code) : 'a failure';
  return serverError('LS_SERVER_LABELS', `the file of labels cannot be read: ${reason}`, {}, { cause: error });
}
