/** HTTP that plugins add to the server: each under a prefix of its own, where what it throws is answered as every failure is, without a stack trace. */
import type { FastifyError, FastifyInstance } from 'fastify';
import { LabelstreamError } from '../core/errors/error.ts';
import { serverError } from '../core/errors/server.ts';
import type { ModelDescription, ModelInput, ModelOutput } from '../models/model-port.ts';

export type HttpApiHost = {
  /** Before items of the stream, with its guaranteed share. Rejects with LS_MODEL_* errors; with LS_SERVER_NOT_READY while models are being loaded at the start. */
  readonly run: (model: string, input: ModelInput, signal: AbortSignal) => Promise<ModelOutput>;
  /** Throws LS_MODEL_UNKNOWN, LS_SERVER_NOT_READY. */
  readonly describe: (model: string) => ModelDescription;
};

/** Adds routes to a server of its own, whose paths begin with /plugins/PLUGIN/NAME. */
export type HttpApi = (server: FastifyInstance, host: HttpApiHost) => void | Promise<void>;

/** Each as PLUGIN/NAME. */
export type HttpApis = ReadonlyMap<string, HttpApi>;

export type PluginApis = {
  readonly apis: HttpApis;
  readonly host: HttpApiHost;
  /** A request failed by what is wrong inside, which its answer does not tell. */
  readonly failed: (api: string, error: unknown) => void;
};

export function addPluginApis(server: FastifyInstance, { apis, host, failed }: PluginApis): void {
  for (const [name, api] of apis) {
    server.register(
      async (scope) => {
        scope.setErrorHandler((error: FastifyError, _request, reply) => {
          const { status, code, message } = answerTo(error);
          if (status === 500) failed(name, error);
          return reply.code(status).send({ error: { code, message } });
        });
        try {
          await api(scope, host);
        } catch (error) {
          throw serverError('LS_SERVER_PLUGIN', `the HTTP of the plugin ${name} cannot be added: ${error instanceof Error ? error.message : String(error)}`, { name }, { cause: error });
        }
      },
      { prefix: `/plugins/${name}` },
    );
  }
}

type Answer = { readonly status: number; readonly code: string; readonly message: string };

/** Nobody outside is told of what is wrong inside. */
function answerTo(error: FastifyError): Answer {
  if (error instanceof LabelstreamError) {
    const { code, description, message } = error;
    if (description.cause === 'input') return { status: 400, code, message };
    return description.retryable ? { status: 503, code, message } : { status: 500, code, message: description.summary };
  }
  const { statusCode = 500 } = error;
  return statusCode < 500 ? { status: statusCode, code: error.code, message: error.message } : { status: 500, code: 'LS_SERVER_PLUGIN', message: 'the plugin failed' };
}
