/**
 * Content in a configured container of Azure Blob Storage. The container is our own, so its credentials go along and its addresses are nobody's concern;
 * which blob of it is read, whoever may publish says.
 */
import { containerAnswer, describedFailure, type FailureError, type RenewableContainer } from '../azure/container-client.ts';
import { boundedContent } from '../core/bounded-content.ts';
import type { Clock } from '../core/clock.ts';
import { mediaError } from '../core/errors/media.ts';
import { referenceError } from '../core/errors/reference.ts';
import type { Reference } from '../core/events.generated.ts';
import { verifiedContent } from '../core/verified-content.ts';
import { watchFetch, type FetchTimes, type FetchWatch } from './fetch-watch.ts';
import { toldUri } from './reference-uri.ts';

export type BlobContentOptions = FetchTimes & {
  /** In the configuration. */
  readonly name: string;
  readonly container: RenewableContainer;
  readonly clock: Clock;
};

export type BlobContent = {
  readonly name: string;
  /** Undefined where the URI does not lead into this container, or carries a permission of its own in a query. Throws LS_REFERENCE_URI. */
  readonly blobNameOf: (url: URL) => string | undefined;
  readonly fetchBlob: (blobName: string, reference: Reference, signal: AbortSignal) => Promise<Uint8Array>;
  readonly fetchBlobUpTo: (blobName: string, bytesMax: number, signal: AbortSignal) => Promise<Uint8Array>;
};

export function createBlobContent(options: BlobContentOptions): BlobContent {
  const { name, container, clock } = options;
  const base = `${container.url.href.replace(/\/$/, '')}/`;
  const attempt = async (blobName: string, signal: AbortSignal, take: (of: Attempt) => Promise<Uint8Array>): Promise<Uint8Array> => {
    const watch = watchFetch(clock, options, signal);
    const what = `reading ${JSON.stringify(blobName.slice(0, 200))} in the container ${name}`;
    try {
      return await take({ watch, what });
    } catch (error) {
      signal.throwIfAborted();
      const { status, code } = containerAnswer(error);
      if (status === 404 && code !== 'ContainerNotFound') throw referenceError('LS_REFERENCE_NOT_FOUND', `${what}: there is no such blob`);
      const late = watch.late();
      throw late === undefined ? describedFailure(error, what, failureError) : failureError('unreachable', `${what}: ${late}`);
    } finally {
      watch.end();
    }
  };
  return {
    name,
    blobNameOf: (url) => (url.search === '' && url.href.startsWith(base) ? decoded(url, base) : undefined),
    fetchBlob: (blobName, reference, signal) => attempt(blobName, signal, (of) => read(container, blobName, reference, of)),
    fetchBlobUpTo: (blobName, bytesMax, signal) => attempt(blobName, signal, (of) => readUpTo(container, blobName, bytesMax, of)),
  };
}

/** The parser of URLs has taken out what leads upwards; what is only encoded would be taken out by the client, which would then ask another container. */
function decoded(url: URL, base: string): string {
  const refused = (what: string): Error => referenceError('LS_REFERENCE_URI', `${toldUri(url)} names no blob: ${what}`);
  let blobName: string;
  try {
    blobName = decodeURIComponent(url.href.slice(base.length));
  } catch {
    throw refused('its path is not encoded as UTF-8');
  }
  if (blobName === '') throw refused('it is the container itself');
  if (/[\p{Cc}\\]/u.test(blobName) || blobName.split('/').some((part) => part === '.' || part === '..')) throw refused('parts that are . or .., backslashes and control characters are not read');
  return blobName;
}

type Attempt = { readonly watch: FetchWatch; readonly what: string };

type Body = AsyncIterable<Uint8Array> & { readonly destroy?: () => void };

async function opened(container: RenewableContainer, blobName: string, { watch }: Attempt): Promise<{ readonly contentLength: number | undefined; readonly body: Body }> {
  const { contentLength, readableStreamBody } = await container.call((client) => client.getBlobClient(blobName).download(0, undefined, { abortSignal: watch.signal, maxRetryRequests: 0 }));
  watch.arrived();
  return { contentLength, body: (readableStreamBody ?? []) as Body };
}

async function readUpTo(container: RenewableContainer, blobName: string, bytesMax: number, attempt: Attempt): Promise<Uint8Array> {
  const { body } = await opened(container, blobName, attempt);
  return boundedContent(body, bytesMax, () => mediaError('LS_MEDIA_TOO_LARGE', `${attempt.what}: it has more than ${bytesMax} bytes`, { bytesMax }), attempt.watch.arrived);
}

async function read(container: RenewableContainer, blobName: string, reference: Reference, attempt: Attempt): Promise<Uint8Array> {
  const { watch, what } = attempt;
  const mismatch = (wrong: string): Error => referenceError('LS_REFERENCE_MISMATCH', `${what}: it ${wrong}`);
  const { contentLength, body } = await opened(container, blobName, attempt);
  if (contentLength !== undefined && BigInt(contentLength) !== reference.sizeBytes) {
    body.destroy?.();
    throw mismatch(`has ${contentLength} bytes; the event says ${reference.sizeBytes}`);
  }
  return verifiedContent(reference, body, mismatch, watch.arrived);
}

const failureCodes = {
  credentials: 'LS_REFERENCE_CONTAINER_REFUSED',
  missing: 'LS_REFERENCE_CONTAINER_REFUSED',
  unreachable: 'LS_REFERENCE_CONTAINER_UNREACHABLE',
  refused: 'LS_REFERENCE_REFUSED',
} as const;

const failureError: FailureError = (failure, message) => referenceError(failureCodes[failure], message);
