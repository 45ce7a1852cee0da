/** The way from an event to its bytes behind a header. Equal events give equal bytes: ids and comparisons rest on it. */
import type { Type } from 'avsc';
import { codecError } from '../core/errors/codec.ts';
import type { LabelstreamError } from '../core/errors/error.ts';
import type { Guard } from './avro-guard.ts';

export type Encoder = (event: unknown) => Buffer;

// Most events fit; a larger one is written twice, the second time where it fits.
const scratch = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * Throws LS_CODEC_INVALID_EVENT (details.path names the field) where the event does not fit the schema, and LS_CODEC_LIMIT where nobody
 * would decode it: the guard that admits what is read also checks what is written.
 */
export function compileEncoder(name: string, type: Type, header: Buffer, guard: Guard): Encoder {
  const bodyOffset = header.length;
  return (event) => {
    let target = scratch;
    try {
      let end = type.encode(event, target, bodyOffset);
      if (end < 0) {
        target = Buffer.allocUnsafeSlow(target.length - end);
        end = type.encode(event, target, bodyOffset);
      }
      target = target === scratch ? Buffer.from(scratch.subarray(0, end)) : target;
    } catch (error) {
      throw invalidEvent(name, type, event, error);
    }
    header.copy(target);
    guard(target, bodyOffset);
    return target;
  };
}

function invalidEvent(name: string, type: Type, event: unknown, cause: unknown): LabelstreamError {
  const { path, expected, found } = firstFault(type, event);
  const field = [name, ...path].join('.');
  return codecError('LS_CODEC_INVALID_EVENT', `${field} is not ${expected} but ${found}`, { schema: name, path: field }, { cause });
}

type Fault = { readonly path: readonly string[]; readonly expected: string; readonly found: string };

function firstFault(type: Type, event: unknown): Fault {
  const faults: Fault[] = [];
  try {
    type.isValid(event, {
      errorHook: (path, value, expected) => faults.push({ path, expected: nameOf(expected), found: describe(value) }),
    });
  } catch {
    // A value so odd that even looking at it fails: the whole event is named.
  }
  return faults[0] ?? { path: [], expected: nameOf(type), found: describe(event) };
}

function nameOf(type: Type): string {
  if ('types' in type && Array.isArray(type.types)) return type.types.map((branch: Type) => branch.branchName ?? branch.typeName).join(' or ');
  return type.branchName ?? type.typeName;
}

// Not the value itself: it may be long, and personal.
function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return `${typeof value} ${String(value)}`;
  if (typeof value === 'string') return value.isWellFormed() ? 'a string' : 'a string that holds half a surrogate pair';
  return Array.isArray(value) ? 'an array' : `an ${typeof value}`;
}
