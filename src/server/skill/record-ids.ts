/** The bodies of custom skills. Whoever asks finds its records again by their recordId: it goes back as it came, also where it is a number that no double holds. */
import type { FastifyInstance } from 'fastify';
import { serverError } from '../../core/errors/server.ts';
import { addJsonBodies } from '../json-bodies.ts';

type Body = { readonly values?: unknown };
type Identified = { recordId?: unknown };

/** As Node 22 has it, and TypeScript does not know it yet: what a reviver is told of a number, and numbers that are written as they are given. */
const exactJson = JSON as unknown as {
  readonly parse: (text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown) => unknown;
  readonly rawJSON: (text: string) => object;
};

export function addExactRecordIds(server: FastifyInstance): void {
  addJsonBodies(server, 'application/json', withExactIds);
}

/** Of a body that is read once more: reading on takes a thousand times as long for a value as for a byte of an image. */
const valuesMax = 100_000;

/** Texts, which nearly all are, need no second look. Throws LS_SERVER_REQUEST. */
function withExactIds(body: unknown, text: string): unknown {
  const records = recordsIn(body);
  if (!records.some((record) => isIdentified(record) && mayDiffer(record.recordId))) return body;
  if (hasManyValues(text)) throw serverError('LS_SERVER_REQUEST', `a body with a recordId that is no text has at most ${valuesMax} values`, { field: 'recordId' });
  let exact: readonly unknown[];
  try {
    exact = recordsIn(exactJson.parse(text, (_key, value, { source }) => (typeof value === 'number' && source !== undefined && String(value) !== source ? exactJson.rawJSON(source) : value)));
  } catch (error) {
    // What was read before can fail in one way alone.
    throw serverError('LS_SERVER_REQUEST', 'a body with a recordId that is no text is nested too deeply', { field: 'recordId' }, { cause: error });
  }
  for (const [index, record] of records.entries()) {
    const same = exact[index];
    if (isIdentified(record) && isIdentified(same)) record.recordId = same.recordId;
  }
  return body;
}

const [comma, bracket, brace] = Buffer.from(',[{');

/** Before each but the first there is one of these. */
function hasManyValues(text: string): boolean {
  let count = 0;
  for (let index = 0; index < text.length && count <= valuesMax; index++) {
    const code = text.charCodeAt(index);
    if (code === comma || code === bracket || code === brace) count += 1;
  }
  return count > valuesMax;
}

function recordsIn(body: unknown): readonly unknown[] {
  const values = typeof body === 'object' && body !== null ? (body as Body).values : undefined;
  return Array.isArray(values) ? values : [];
}

function isIdentified(record: unknown): record is Identified {
  return typeof record === 'object' && record !== null && Object.hasOwn(record, 'recordId');
}

function mayDiffer(id: unknown): boolean {
  return typeof id === 'number' || (typeof id === 'object' && id !== null);
}
