/** What the answer of a host means for a reference. */
import { referenceError, type ReferenceErrorCode } from '../core/errors/reference.ts';

export type AnswerHead = { readonly status: number; readonly headers: Readonly<Record<string, string | string[] | undefined>> };

export type Answer =
  | { readonly kind: 'content' }
  /** As the host wrote it; may be relative. */
  | { readonly kind: 'redirect'; readonly location: string };

/**
 * Throws LS_REFERENCE_*.
 * @param sizeBytes that the content has to have; undefined where nobody says it.
 * @param what for messages: the request, without its query.
 * @param nowMs for a Retry-After that is a date.
 */
export function answerOf(what: string, { status, headers }: AnswerHead, sizeBytes: bigint | undefined, nowMs: number): Answer {
  if ([301, 302, 303, 307, 308].includes(status)) {
    const location = single(headers['location']);
    if (location === undefined) throw referenceError('LS_REFERENCE_REDIRECT', `${what}: status ${status} without a place to go to`, { status });
    return { kind: 'redirect', location };
  }
  if (status !== 200) throw referenceError(codeOf(status), `${what}: status ${status}`, { status, ...retryAfter(single(headers['retry-after']), nowMs) });
  const encoding = single(headers['content-encoding']) ?? 'identity';
  if (encoding.trim().toLowerCase() !== 'identity') {
    throw referenceError('LS_REFERENCE_ENCODED', `${what}: the content is encoded as ${JSON.stringify(encoding.slice(0, 40))}`);
  }
  const length = single(headers['content-length']);
  if (length !== undefined && sizeBytes !== undefined && length !== String(sizeBytes)) {
    throw referenceError('LS_REFERENCE_MISMATCH', `${what}: the host has ${JSON.stringify(length.slice(0, 20))} bytes; the event says ${sizeBytes}`);
  }
  return { kind: 'content' };
}

function codeOf(status: number): ReferenceErrorCode {
  if (status === 404 || status === 410) return 'LS_REFERENCE_NOT_FOUND';
  if ([401, 403, 407, 451].includes(status)) return 'LS_REFERENCE_DENIED';
  if ([408, 425, 429].includes(status) || status >= 500) return 'LS_REFERENCE_UNAVAILABLE';
  return 'LS_REFERENCE_REFUSED';
}

/** A header that comes twice says two things. */
function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}

/** Seconds, or a date (RFC 9110, 10.2.3); nothing for what is neither. */
function retryAfter(value: string | undefined, nowMs: number): { readonly retryAfterMs?: number } {
  if (value === undefined) return {};
  const waitMs = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  return Number.isFinite(waitMs) && waitMs > 0 ? { retryAfterMs: waitMs } : {};
}
