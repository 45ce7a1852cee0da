/** Models by HTTP alone: what `serve` is around. Nothing is read from a log, and nothing written. */
import { startModels } from './compose.ts';
import type { Configuration } from './config/load.ts';
import { serverError } from './core/errors/server.ts';
import type { ModelServer } from './models/model-server.ts';
import { startStallMonitor } from './observation/main-loop-stall.ts';
import type { ServiceContext } from './process-context.ts';
import { startHttp } from './start-http.ts';

export type Serving = {
  readonly url: string;
  readonly longestStallMs: () => number;
  /** Never rejects. `forced`: the deadline passed with requests under way. */
  readonly stop: () => Promise<{ readonly forced: boolean }>;
};

/** Leaves nothing running where it rejects. Requests are refused (LS_SERVER_NOT_READY) until the models are loaded. */
export async function startServing(configuration: Configuration, context: ServiceContext): Promise<Serving> {
  const stall = startStallMonitor();
  context.metrics.mainLoopStall(stall.longestMs);
  let loaded: ModelServer | undefined;
  const http = await startHttp({
    configuration,
    context,
    models: () => {
      if (loaded === undefined) throw serverError('LS_SERVER_NOT_READY', 'models are being loaded');
      return loaded;
    },
    log: undefined,
  });
  try {
    loaded = await startModels({ configuration, context });
  } catch (error) {
    await http.close();
    throw error;
  }
  context.readiness.started();
  const models = loaded;
  return {
    url: http.url,
    longestStallMs: stall.longestMs,
    stop: async () => {
      context.readiness.stopping();
      const late = new AbortController();
      const timeOver = context.clock.sleep(configuration.shutdown.deadlineMs, late.signal).then(() => 'forced' as const);
      const outcome = await Promise.race([http.drain(late.signal).then(() => 'drained' as const), timeOver]);
      late.abort();
      await models.close();
      await http.close();
      stall.stop();
      return { forced: outcome === 'forced' };
    },
  };
}
