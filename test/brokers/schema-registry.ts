/**
 * A schema registry for tests, by Confluent's published API: schemas/ids, subjects with versions, their errors with codes, in memory. It can be
 * told to fail in every way that a network and a proxy know, to be away and to come back at the same address.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export type RegistryRequest = {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: unknown;
};

export type Reference = { readonly name: string; readonly subject: string; readonly version: number };

/** What happens in place of the answer. `hang`: nothing ever; `cut`: half of it. */
export type Fault = 'hang' | 'reset' | 'cut' | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body: string };

export type TestRegistryOptions = {
  /** Values of the Authorization header that are let in; none: everybody is. */
  readonly authorizations?: readonly string[];
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca?: string; readonly requestCert?: boolean };
  /** Under which the API lies. */
  readonly pathPrefix?: string;
};

export type TestRegistry = {
  readonly url: string;
  /** In the order in which they came, those that failed included. */
  readonly requests: readonly RegistryRequest[];
  /** Under a subject, as a client would; the id. */
  readonly register: (subject: string, schema: string, references?: readonly Reference[], schemaType?: string) => number;
  /** Subjects with the texts of their versions. */
  readonly subjects: () => ReadonlyMap<string, readonly string[]>;
  readonly schemaText: (id: number) => string | undefined;
  /** Decides for every request; undefined: it is answered. */
  fault: (request: RegistryRequest) => Fault | undefined;
  authorizations: readonly string[] | undefined;
  /** Refuses connections, and breaks those that there are. */
  readonly stop: () => Promise<void>;
  /** At the same address. */
  readonly start: () => Promise<void>;
};

type Stored = { readonly id: number; readonly schema: string; readonly schemaType: string; readonly references: readonly Reference[] };
type Answer = { readonly status: number; readonly body: unknown };

const mediaType = 'application/vnd.schemaregistry.v1+json';

export async function startTestRegistry({ tls, pathPrefix = '', authorizations }: TestRegistryOptions = {}): Promise<TestRegistry> {
  const store = createStore();
  const requests: RegistryRequest[] = [];
  let server: Server | undefined;
  let port = 0;
  const registry: TestRegistry = {
    get url() {
      return `${tls === undefined ? 'http' : 'https'}://localhost:${port}${pathPrefix}`;
    },
    requests,
    register: (subject, schema, references, schemaType) => store.register(subject, schema, references, schemaType).id,
    subjects: store.texts,
    schemaText: (id) => store.byId.get(id)?.schema,
    fault: () => undefined,
    authorizations,
    stop: async () => {
      const stopping = server;
      server = undefined;
      if (stopping === undefined) return;
      const closed = new Promise((resolve) => stopping.close(resolve));
      stopping.closeAllConnections();
      await closed;
    },
    start: async () => {
      const handle = (request: IncomingMessage, response: ServerResponse): void => void serve(request, response);
      const started = tls === undefined ? createServer(handle) : createTlsServer({ ...tls, rejectUnauthorized: tls.requestCert ?? false }, handle);
      await new Promise<void>((resolve, reject) => {
        started.on('error', reject).listen(port, 'localhost', resolve);
      });
      port = (started.address() as AddressInfo).port;
      server = started;
    },
  };

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await readRequest(incoming, pathPrefix);
    requests.push(request);
    const fault = registry.fault(request);
    if (fault === 'hang') return;
    if (fault === 'reset') {
      incoming.socket.resetAndDestroy();
      return;
    }
    if (typeof fault === 'object') {
      response.writeHead(fault.status, fault.headers).end(fault.body);
      return;
    }
    const allowed = registry.authorizations === undefined || registry.authorizations.includes(request.authorization ?? '');
    const { status, body } = allowed ? store.answer(request) : { status: 401, body: { error_code: 401, message: 'Unauthorized' } };
    const text = Buffer.from(JSON.stringify(body));
    response.writeHead(status, { 'content-type': mediaType, 'content-length': text.length });
    if (fault === 'cut') response.write(text.subarray(0, text.length / 2), () => incoming.socket.destroy());
    else response.end(text);
  }

  await registry.start();
  return registry;
}

async function readRequest(incoming: IncomingMessage, pathPrefix: string): Promise<RegistryRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const path = (incoming.url ?? '').slice(pathPrefix.length);
  return { method: incoming.method ?? '', path, authorization: incoming.headers.authorization, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
}

function createStore() {
  const byId = new Map<number, Stored>();
  const versions = new Map<string, Stored[]>();

  /** The same content has the same id under every subject. */
  function register(subject: string, schema: string, references: readonly Reference[] = [], schemaType = 'AVRO'): Stored {
    const same = (stored: Stored): boolean => sameSchema(stored, { schema, references });
    const stored = [...byId.values()].find(same) ?? { id: byId.size + 1, schema, references, schemaType };
    byId.set(stored.id, stored);
    const known = versions.get(subject) ?? [];
    if (!known.some(same)) versions.set(subject, [...known, stored]);
    return stored;
  }

  function answer({ method, path, body }: RegistryRequest): Answer {
    const { pathname } = new URL(path, 'http://registry');
    const parts = pathname.split('/').slice(1).map(decodeURIComponent);
    const [resource, subject = '', section, version = ''] = parts;
    if (method === 'GET' && resource === 'schemas' && subject === 'ids') return schemaById(Number(section));
    if (resource === 'subjects' && method === 'GET' && subject === '') return { status: 200, body: [...versions.keys()] };
    if (resource === 'subjects' && method === 'GET' && section === 'versions') return schemaByVersion(subject, version);
    if (resource === 'subjects' && method === 'POST') return posted(subject, section === 'versions', body as Partial<Stored>);
    return refusal(404, 404, 'HTTP 404 Not Found');
  }

  function schemaById(id: number): Answer {
    const stored = byId.get(id);
    return stored === undefined ? refusal(404, 40_403, `Schema ${id} not found`) : { status: 200, body: described(stored) };
  }

  function schemaByVersion(subject: string, version: string): Answer {
    const known = versions.get(subject);
    if (known === undefined) return refusal(404, 40_401, `Subject '${subject}' not found.`);
    if (version === '') return { status: 200, body: known.map((_, index) => index + 1) };
    const stored = version === 'latest' ? known.at(-1) : known[Number(version) - 1];
    if (stored === undefined) return refusal(404, 40_402, `Version ${version} not found.`);
    return { status: 200, body: { subject, id: stored.id, version: known.indexOf(stored) + 1, ...described(stored) } };
  }

  function posted(subject: string, registering: boolean, { schema = '', references = [], schemaType }: Partial<Stored>): Answer {
    if (!isJson(schema)) return refusal(422, 42_201, 'Invalid schema');
    if (registering) return { status: 200, body: { id: register(subject, schema, references, schemaType).id } };
    const known = versions.get(subject);
    if (known === undefined) return refusal(404, 40_401, `Subject '${subject}' not found.`);
    const index = known.findIndex((stored) => sameSchema(stored, { schema, references }));
    const stored = known[index];
    if (stored === undefined) return refusal(404, 40_403, 'Schema not found');
    return { status: 200, body: { subject, id: stored.id, version: index + 1, ...described(stored) } };
  }

  return { byId, register, answer, texts: () => new Map([...versions].map(([subject, known]) => [subject, known.map(({ schema }) => schema)])) };
}

/** As Confluent's does, it leaves out what is the default. */
function described({ schema, schemaType, references }: Stored): object {
  return { schema, ...(schemaType === 'AVRO' ? {} : { schemaType }), ...(references.length === 0 ? {} : { references }) };
}

function sameSchema(left: Pick<Stored, 'schema' | 'references'>, right: Pick<Stored, 'schema' | 'references'>): boolean {
  return left.schema === right.schema && JSON.stringify(left.references) === JSON.stringify(right.references);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function refusal(status: number, errorCode: number, message: string): Answer {
  return { status, body: { error_code: errorCode, message } };
}
