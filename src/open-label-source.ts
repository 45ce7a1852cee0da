/** The labels of the custom skill, from where a configuration says: a file, or an https: URL by the rules of references, from the host of that URL alone. */
import { open } from 'node:fs/promises';
import { isUrl } from './config/file-paths.ts';
import type { Configuration } from './config/load.ts';
import { serverError } from './core/errors/server.ts';
import { errorFields } from './observation/log-observer.ts';
import { observedFetcher } from './observation/observed-fetches.ts';
import { openContentFetcher } from './open-content-fetcher.ts';
import type { ProcessContext } from './process-context.ts';
import { createLabelSource, type LabelSource } from './server/skill/label-source.ts';

const bytesMax = 16 * 1024 * 1024;

export type OpenedLabels = { readonly labels: LabelSource | undefined; readonly close: () => Promise<void> };

/** Asks nobody yet. Rejects with LS_REFERENCE_SETTINGS. */
export async function openLabelSource({ server: { skill }, media }: Pick<Configuration, 'server' | 'media'>, { clock, logger, metrics }: Pick<ProcessContext, 'clock' | 'logger' | 'metrics'>): Promise<OpenedLabels> {
  const { labels: location, labelsRefreshMs: refreshMs } = skill;
  if (location === undefined) return { labels: undefined, close: () => Promise.resolve() };
  // The operator names this one: it is no reference that a stranger chose, and opens nothing for those.
  const opened = isUrl(location) ? await openContentFetcher({ ...media, origins: [new URL(location).origin], containers: {} }, clock) : undefined;
  const fetcher = opened && observedFetcher(opened, metrics, clock);
  const read = (signal: AbortSignal): Promise<Uint8Array> => (fetcher === undefined ? readFileUpTo(location) : fetcher.fetchUpTo(location, bytesMax, signal));
  // A query may hold a signature.
  const shown = isUrl(location) ? location.replace(/\?.*$/s, '?...') : location;
  const failed = (error: unknown): void => logger.error({ labels: shown, ...errorFields(error) }, 'cannot read the labels of clusters');
  return { labels: createLabelSource({ read, refreshMs, clock, failed }), close: async () => opened?.close() };
}

async function readFileUpTo(path: string): Promise<Uint8Array> {
  await using handle = await open(path);
  const { size } = await handle.stat();
  if (size > bytesMax) throw serverError('LS_SERVER_LABELS', `the file of labels has more than ${bytesMax} bytes`);
  return await handle.readFile();
}
