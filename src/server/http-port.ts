/** What the HTTP server is given: interfaces, and whoever is told of requests. */
import type { FastifyInstance } from 'fastify';

/** What one interface adds. */
export type Api = {
  /** For the OpenAPI document and messages. */
  readonly name: string;
  readonly description: string;
  readonly add: (server: FastifyInstance) => void | Promise<void>;
};

export type RequestSummary = {
  readonly requestId: string;
  readonly method: string;
  /** Without the query, which may hold what nobody is to know. */
  readonly path: string;
  /** As it is declared; undefined where there is none. */
  readonly route: string | undefined;
  readonly status: number;
  readonly seconds: number;
  /** Whose key it had. */
  readonly key: string | undefined;
  readonly remoteAddress: string;
};

export type HttpObserver = {
  readonly answered: (summary: RequestSummary) => void;
  /** A request failed by what its answer does not tell. */
  readonly failed: (request: Pick<RequestSummary, 'requestId' | 'method' | 'path'>, error: unknown) => void;
};
