/**
 * What may answer at the address of a schema registry: a plain one in memory that keeps texts as they are given to it, or, in place of its answer,
 * whatever a test says. The registry that follows the published API to the letter is in test/brokers/.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export type Received = { readonly method: string; /** With the query. */ readonly path: string; readonly authorization: string | undefined; readonly body: unknown };
export type Reference = { readonly name: string; readonly subject: string; readonly version: number };

/** `hang`: nothing ever; `cut`: half of the answer. */
export type Fault = 'hang' | 'reset' | 'cut' | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body: string };

export type FaultyRegistry = {
  readonly url: string;
  /** In the order in which they came, those that failed included. */
  readonly requests: readonly Received[];
  /** The id. The same text has the same under every subject. */
  readonly register: (subject: string, schema: string, references?: readonly Reference[], schemaType?: string) => number;
  /** Texts of the versions. */
  readonly subjects: () => ReadonlyMap<string, readonly string[]>;
  readonly schemaText: (id: number) => string | undefined;
  /** Asked for every request; undefined: it is answered. */
  fault: (request: Received) => Fault | undefined;
  /** Refuses connections, and breaks those that there are. */
  readonly stop: () => Promise<void>;
  /** At the same address. */
  readonly start: () => Promise<void>;
};

type Stored = { readonly id: number; readonly schema: string; readonly schemaType: string; readonly references: readonly Reference[] };
type Answer = { readonly status: number; readonly body: unknown };

export async function startFaultyRegistry(pathPrefix = ''): Promise<FaultyRegistry> {
  const store = createStore();
  const requests: Received[] = [];
  let server: Server | undefined;
  let port = 0;

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(incoming);
    const request = {
      method: incoming.method ?? '',
      path: (incoming.url ?? '').slice(pathPrefix.length),
      authorization: incoming.headers.authorization,
      body: body === '' ? undefined : (JSON.parse(body) as unknown),
    };
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
    const answer = store.answer(request);
    const bytes = Buffer.from(JSON.stringify(answer.body));
    response.writeHead(answer.status, { 'content-type': 'application/vnd.schemaregistry.v1+json', 'content-length': bytes.length });
    if (fault === 'cut') response.write(bytes.subarray(0, bytes.length / 2), () => incoming.socket.destroy());
    else response.end(bytes);
  }

  const registry: FaultyRegistry = {
    get url() {
      return `http://localhost:${port}${pathPrefix}`;
    },
    requests,
    ...store,
    fault: () => undefined,
    stop: async () => {
      const stopping = server;
      server = undefined;
      if (stopping === undefined) return;
      const closed = new Promise((resolve) => stopping.close(resolve));
      stopping.closeAllConnections();
      await closed;
    },
    start: async () => {
      const started = createServer((request, response) => void serve(request, response));
      await new Promise<void>((resolve, reject) => {
        started.on('error', reject).listen(port, 'localhost', resolve);
      });
      port = (started.address() as AddressInfo).port;
      server = started;
    },
  };
  await registry.start();
  return registry;
}

function createStore() {
  const byId = new Map<number, Stored>();
  const versions = new Map<string, Stored[]>();

  function register(subject: string, schema: string, references: readonly Reference[] = [], schemaType = 'AVRO'): number {
    const stored = [...byId.values()].find((each) => each.schema === schema) ?? { id: byId.size + 1, schema, references, schemaType };
    byId.set(stored.id, stored);
    const known = versions.get(subject) ?? [];
    if (!known.includes(stored)) versions.set(subject, [...known, stored]);
    return stored.id;
  }

  function answer({ method, path, body }: Received): Answer {
    const [resource, name = '', section = '', version] = new URL(path, 'http://registry').pathname.split('/').slice(1).map(decodeURIComponent);
    if (resource === 'schemas') return found(byId.get(Number(section)), 40_403);
    const known = versions.get(name);
    if (method === 'GET') return found(known?.[Number(version) - 1], known === undefined ? 40_401 : 40_402);
    const { schema } = body as { readonly schema: string };
    if (section === 'versions') return { status: 200, body: { id: register(name, schema) } };
    return found(known?.find((each) => each.schema === schema), known === undefined ? 40_401 : 40_403);
  }

  return {
    register,
    answer,
    subjects: () => new Map([...versions].map(([subject, known]) => [subject, known.map(({ schema }) => schema)])),
    schemaText: (id: number) => byId.get(id)?.schema,
  };
}

/** As Confluent's does, it leaves out what is the default. */
function found(stored: Stored | undefined, errorCode: number): Answer {
  if (stored === undefined) return { status: 404, body: { error_code: errorCode, message: 'not found' } };
  const { id, schema, schemaType, references } = stored;
  return { status: 200, body: { id, schema, ...(schemaType === 'AVRO' ? {} : { schemaType }), ...(references.length === 0 ? {} : { references }) } };
}
