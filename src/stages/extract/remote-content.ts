/**
 * Content that is fetched from hosts and containers: tried again while there is hope (SEMANTICS.md, rule 22). A container of our own is waited for; another's
 * host for a bounded time from its first failure on; what says that the reference itself is wrong is final at once.
 */
import type { Budget } from '../../core/budget.ts';
import type { Clock } from '../../core/clock.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import { retryAfterMsOf, type ReferenceErrorCode } from '../../core/errors/reference.ts';
import type { Reference } from '../../core/events.generated.ts';
import type { Patience } from '../../pipeline/retry.ts';
import type { ProcessContext } from '../../pipeline/stage.ts';
import type { ContentFetcher } from './content-fetcher.ts';
import { createSourceGates, type SourceObserver } from './source-gates.ts';

export type RemoteContentOptions = {
  readonly fetcher: ContentFetcher;
  readonly clock: Pick<Clock, 'elapsedMs'>;
  readonly requestsMax: number;
  readonly requestsPerHostMax: number;
  readonly retryMsMax: number;
  readonly observer: SourceObserver;
};

export type HeldContent = { readonly bytes: Uint8Array; /** To be called when nobody looks at the bytes any more. */ readonly release: () => void };

/** Of what may be held, one source while it is being fetched from. */
const sourceShare = 1 / 4;

const containerCodes: ReadonlySet<string> = new Set<ReferenceErrorCode>(['LS_REFERENCE_CONTAINER_UNREACHABLE', 'LS_REFERENCE_CONTAINER_REFUSED']);
const outageCodes: ReadonlySet<string> = new Set<ReferenceErrorCode>([...(containerCodes as ReadonlySet<ReferenceErrorCode>), 'LS_REFERENCE_UNREACHABLE']);

const isOutage = (error: unknown): error is LabelstreamError => error instanceof LabelstreamError && outageCodes.has(error.code);

/** @param bytes of content that is held, of `heldBytesMax` in all. */
export function createRemoteContent({ fetcher, clock, retryMsMax, requestsMax, requestsPerHostMax, observer }: RemoteContentOptions, bytes: Budget, heldBytesMax: number) {
  const gates = createSourceGates({ clock, bytes, sourceBytesMax: heldBytesMax * sourceShare, requestsMax, requestsPerSourceMax: requestsPerHostMax, isOutage, observer });
  const patience: Patience = {
    policy: { attemptsMax: Infinity, elapsedMsMax: retryMsMax, baseMs: 250, capMs: 10_000, waitedForCodes: containerCodes },
    leastWaitMs: retryAfterMsOf,
  };
  return async (reference: Reference, { retry, signal }: ProcessContext): Promise<HeldContent> => {
    const source = fetcher.sourceOf(reference.uri);
    const leave = gates.enter(source);
    try {
      const attempt = () => gates.pass(source, Number(reference.sizeBytes), signal, () => fetcher.fetchContent(reference, signal));
      const { result, release } = await retry(attempt, patience);
      return { bytes: result, release };
    } finally {
      leave();
    }
  };
}
