/** HTTP that plugins add to the server: each under a prefix of its own. What it throws is answered as every failure is; a route that does not say who may use it is for keys with the scope `predict`. */
import type { FastifyInstance } from 'fastify';
import { LabelstreamError } from '../core/errors/error.ts';
import { serverError } from '../core/errors/server.ts';
import type { ModelDescription, ModelInput, ModelOutput } from '../models/model-port.ts';
import type { Api } from './http-port.ts';

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

export function pluginApis(apis: HttpApis, host: HttpApiHost): readonly Api[] {
  return [...apis].map(([name, api]) => ({
    name: `plugins/${name}`,
    description: 'Of a plugin.',
    add: async (server) => {
      const routes = async (scope: FastifyInstance): Promise<void> => {
        scope.addHook('onRoute', (route) => {
          route.config = { refusals: 'any', ...route.config, scope: route.config?.scope ?? 'predict' };
        });
        scope.setErrorHandler((error) => {
          throw isTold(error) ? error : serverError('LS_SERVER_PLUGIN', `the plugin ${name} failed: ${String(error)}`, { name }, { cause: error });
        });
        await api(scope, host);
      };
      try {
        await server.register(routes, { prefix: `/plugins/${name}` });
      } catch (error) {
        throw serverError('LS_SERVER_PLUGIN', `the HTTP of the plugin ${name} cannot be added: ${error instanceof Error ? error.message : String(error)}`, { name }, { cause: error });
      }
    },
  }));
}

/** Ours, or what Fastify finds wrong with a request. */
function isTold(error: unknown): boolean {
  if (error instanceof LabelstreamError) return true;
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number' && error.statusCode < 500;
}
