/**
 * W3C Trace Context through the stages. This program records no spans of its own, so it does what the recommendation says of a service that does
 * not: it hands `traceparent` and `tracestate` on as they are. What consumes an output then appears in the trace as a child of what produced the
 * input. A parent made up here would be one that no backend has ever heard of, and a random one would give a replay other bytes.
 */
import { noHeaders, type Headers } from '../core/records.ts';

const traceHeaderNames = { parent: 'traceparent', state: 'tracestate' } as const;

/** `version-traceid-parentid-flags`, which all versions begin with; 00 ends there. */
const parentBytes = 55;
const parentPattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const sampledFlag = 1;
/** What everybody has to be able to propagate. A longer one is dropped whole. */
export const traceStateBytesMax = 512;
const membersMax = 32;
const keyPattern = /^[a-z0-9][a-z0-9_\-*/]{0,255}(?:@[a-z][a-z0-9_\-*/]{0,13})?$/;
const valuePattern = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/** The largest that `traceHeadersOf` gives. */
export const largestTraceHeaders: Headers = new Map([
  [traceHeaderNames.parent, Buffer.alloc(parentBytes)],
  [traceHeaderNames.state, Buffer.alloc(traceStateBytesMax)],
]);

/**
 * What of a record's headers goes with all that comes of it. Total: whatever is not valid is left out, `tracestate` without a valid `traceparent`,
 * too, as the recommendation asks.
 */
export function traceHeadersOf(headers: Headers): Headers {
  const given = headers.get(traceHeaderNames.parent);
  const parent = given && validParent(given);
  if (parent === undefined) return noHeaders;
  const state = headers.get(traceHeaderNames.state);
  if (state === undefined || !isValidState(state)) return new Map([[traceHeaderNames.parent, parent]]);
  return new Map([
    [traceHeaderNames.parent, parent],
    [traceHeaderNames.state, state],
  ]);
}

function validParent(bytes: Buffer): Buffer | undefined {
  if (bytes.length < parentBytes) return undefined;
  const [, version, traceId = '', parentId = '', flags = ''] = parentPattern.exec(bytes.toString('latin1', 0, parentBytes)) ?? [];
  if (version === undefined || version === 'ff' || /^0+$/.test(traceId) || /^0+$/.test(parentId)) return undefined;
  if (version === '00') return bytes.length === parentBytes ? bytes : undefined;
  // Of a later version its beginning is read, and what this version knows of it is handed on as this version.
  if (bytes.length > parentBytes && bytes[parentBytes] !== '-'.charCodeAt(0)) return undefined;
  return Buffer.from(`00-${traceId}-${parentId}-0${Number.parseInt(flags, 16) & sampledFlag}`);
}

function isValidState(bytes: Buffer): boolean {
  if (bytes.length === 0 || bytes.length > traceStateBytesMax) return false;
  const members = bytes.toString('latin1').split(',').map((member) => member.replaceAll(/^[ \t]+|[ \t]+$/g, '')).filter((member) => member !== '');
  if (members.length === 0 || members.length > membersMax) return false;
  const keys = members.map((member) => member.slice(0, Math.max(0, member.indexOf('='))));
  if (new Set(keys).size < keys.length) return false;
  return members.every((member, index) => keyPattern.test(keys[index] ?? '') && valuePattern.test(member.slice((keys[index]?.length ?? 0) + 1)));
}
