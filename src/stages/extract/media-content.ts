/**
 * The content of media events, read once per event whatever the number of its steps. Inline bytes are counted by the runner's budget with
 * their record; bytes that are only referred to are not, so they have a budget of the same size here, taken before the first byte is read and
 * given back when the steps are done.
 */
import { createBudget, type Budget } from '../../core/budget.ts';
import { mediaError } from '../../core/errors/media.ts';
import { referenceError } from '../../core/errors/reference.ts';
import type { MediaEvent, Reference } from '../../core/events.generated.ts';
import type { ProcessContext } from '../../pipeline/stage.ts';
import { readFileContent } from './file-content.ts';
import { createRemoteContent, type HeldContent, type RemoteContentOptions } from './remote-content.ts';

export type MediaContent = {
  /** Repeats what may pass. Rejects with LS_MEDIA_* and LS_REFERENCE_* errors, and with the signal's reason when it aborts. */
  readonly read: (content: NonNullable<MediaEvent['content']>, context: ProcessContext) => Promise<HeldContent>;
};

export type MediaContentOptions = {
  /** Absolute. Only files below them are read; none: no files. */
  readonly directories: readonly string[];
  /** Of one event's content, inline or not. */
  readonly bytesMax: number;
  /** Of referenced content that is held at once; one is always admitted. */
  readonly heldBytesMax: number;
  /** None: nothing is fetched from anywhere else. */
  readonly remote?: RemoteContentOptions | undefined;
};

/** The log reads and writes in the same four threads of the process: a share that hangs must not take them all. */
const readsMax = 2;

const noRelease = (): void => undefined;

export function createMediaContent(options: MediaContentOptions): MediaContent {
  const bytes = createBudget(options.heldBytesMax);
  const reads = createBudget(readsMax);
  const readRemote = options.remote === undefined ? refuseRemote : createRemoteContent(options.remote, bytes, options.heldBytesMax);
  return {
    read: async (content, context) => {
      const inline = Buffer.isBuffer(content);
      const sizeBytes = inline ? BigInt(content.length) : content.sizeBytes;
      if (sizeBytes > options.bytesMax) {
        throw mediaError('LS_MEDIA_TOO_LARGE', `the content has ${sizeBytes} bytes; media.bytesMax allows ${options.bytesMax}`, { sizeBytes });
      }
      if (inline) return { bytes: content, release: noRelease };
      return schemeOf(content) === 'file' ? readFile(content, options.directories, { bytes, reads }, context) : readRemote(content, context);
    },
  };
}

function refuseRemote(): Promise<HeldContent> {
  return Promise.reject(referenceError('LS_REFERENCE_NOT_ALLOWED', 'nothing is fetched: neither media.origins nor media.containers names anything'));
}

type Budgets = { readonly bytes: Budget; readonly reads: Budget };

async function readFile(reference: Reference, directories: readonly string[], budgets: Budgets, context: ProcessContext): Promise<HeldContent> {
  const release = await budgets.bytes.take(Number(reference.sizeBytes), context.signal);
  try {
    const bytes = await context.retry(async () => {
      const endRead = await budgets.reads.take(1, context.signal);
      const reading = readFileContent(reference, directories, context.signal).finally(endRead);
      return await abortable(reading, context.signal);
    });
    return { bytes, release };
  } catch (error) {
    release();
    throw error;
  }
}

/** A call to a file system cannot be interrupted, but whoever waits for it can. */
async function abortable<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Characters. */
export const uriLengthMax = 4_096;

/** Throws LS_MEDIA_REFERENCE, and LS_MEDIA_SCHEME for what nobody reads or fetches. */
function schemeOf({ uri, sha256, sizeBytes }: Reference): 'file' | 'http' | 'https' {
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw mediaError('LS_MEDIA_REFERENCE', 'the sha256 of the reference is not 64 lower-case hexadecimal digits');
  if (sizeBytes < 1n) throw mediaError('LS_MEDIA_REFERENCE', `the sizeBytes of the reference is ${sizeBytes}`, { sizeBytes });
  if (uri.length > uriLengthMax) throw mediaError('LS_MEDIA_REFERENCE', `the uri of the reference has ${uri.length} characters; at most ${uriLengthMax} are allowed`);
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(uri)?.[1]?.toLowerCase();
  if (scheme === undefined) throw mediaError('LS_MEDIA_REFERENCE', `${quoted(uri)} is no absolute URI`);
  if (scheme === 'file' || scheme === 'http' || scheme === 'https') return scheme;
  throw mediaError('LS_MEDIA_SCHEME', `${scheme}: URIs are not read; ${quoted(uri)}`, { scheme });
}

/** Of an outsider's making: on one line, and short. */
function quoted(uri: string): string {
  return JSON.stringify(uri.slice(0, 200));
}
