/** What the HTTP server is given: interfaces, and whoever is told of requests. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { FailedAnswer } from './answers.ts';
import type { Schema } from './schemas.ts';

/** What one interface adds. */
export type Api = {
  /** For the OpenAPI document and messages. */
  readonly name: string;
  readonly description: string;
  /** @param setFailures says how failures are written in a scope; without it they are problem details. Before its routes are added. */
  readonly add: (server: FastifyInstance, setFailures: SetFailures) => void | Promise<void>;
};

export type RequestSummary = {
  readonly requestId: string;
  /** `-`, as the path, where what was sent is no request. */
  readonly method: string;
  /** Without the query, which may hold what nobody is to know. */
  readonly path: string;
  /** As it is declared; undefined where there is none. */
  readonly route: string | undefined;
  /** Of an answer that was not sent whole: 499 where the client left, otherwise what ended it here. */
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

export type SetFailures = (scope: FastifyInstance, format: FailureFormat) => void;

/** How the routes of one interface write a failure, and what they say of it in the OpenAPI document. */
export type FailureFormat = {
  readonly write: (request: FastifyRequest, reply: FastifyReply, answer: FailedAnswer) => FastifyReply;
  readonly mediaType: string;
  readonly schema: Schema;
  /** What it answers beside the statuses of answers.ts. */
  readonly ownStatuses?: readonly number[];
};

export type DocumentedRequest = {
  /** By media type. */
  readonly body: { readonly content: Readonly<Record<string, { readonly schema: object }>> };
  readonly headers?: object;
};

declare module 'fastify' {
  /* eslint-disable @typescript-eslint/consistent-type-definitions -- What is there already can be added to in no other way. */
  interface FastifyContextConfig {
    failures?: FailureFormat;
    /** For the OpenAPI document: statuses that it refuses requests with, beside those that every operation of its kind has. */
    refusals?: readonly (404 | 409 | 410)[] | 'any';
    /** What the OpenAPI document says of a body that no schema validates, because it is read by own code. */
    documented?: DocumentedRequest;
  }
  interface FastifyInstance {
    /** Aborts when the server is drained: for answers that would not end by themselves. */
    draining: AbortSignal;
  }
  /* eslint-enable @typescript-eslint/consistent-type-definitions */
}
