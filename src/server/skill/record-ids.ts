/** The bodies of custom skills. Whoever asks finds its records again by their recordId: it goes back as it came, also where it is a number that no double holds. */
import type { FastifyInstance } from 'fastify';

type Body = { readonly values?: unknown };
type Identified = { recordId?: unknown };

/** As Node 22 has it, and TypeScript does not know it yet: what a reviver is told of a number, and numbers that are written as they are given. */
const exactJson = JSON as unknown as {
  readonly parse: (text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown) => unknown;
  readonly rawJSON: (text: string) => object;
};

export function addExactRecordIds(server: FastifyInstance): void {
  const parse = server.getDefaultJsonParser('error', 'error');
  server.addContentTypeParser('application/json', { parseAs: 'string' }, (request, text, done) => {
    void parse(request, text.toString(), (error, body: unknown) => done(error, error === null ? withExactIds(body, text.toString()) : body));
  });
}

/** Texts, which nearly all are, need no second look. */
function withExactIds(body: unknown, text: string): unknown {
  const records = recordsIn(body);
  if (!records.some((record) => isIdentified(record) && mayDiffer(record.recordId))) return body;
  const exact = recordsIn(exactJson.parse(text, (_key, value, { source }) => (typeof value === 'number' && source !== undefined && String(value) !== source ? exactJson.rawJSON(source) : value)));
  for (const [index, record] of records.entries()) {
    const same = exact[index];
    if (isIdentified(record) && isIdentified(same)) record.recordId = same.recordId;
  }
  return body;
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
