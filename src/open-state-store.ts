/** The store of snapshots that a configuration names: a directory, or a blob container. */
import { join } from 'node:path';
import type { ContainerCredentials } from './azure/container-client.ts';
import type { Configuration } from './config/load.ts';
import { readContainerCredentials } from './container-credentials.ts';
import { stateError } from './core/errors/state.ts';
import { errorFields } from './observation/log-observer.ts';
import { createDirectoryStateStore } from './pipeline/directory-state-store.ts';
import type { FileSystem } from './pipeline/file-system.ts';
import type { StateStore } from './pipeline/state-store.ts';
import type { ProcessContext } from './process-context.ts';

type BlobSettings = Extract<Configuration['state'], { readonly kind: 'blob' }>;

/** @param signal ends what the store waits for. */
export async function openStateStore(configuration: Configuration, context: ProcessContext, fileSystem: FileSystem, signal: AbortSignal): Promise<StateStore> {
  const { state, dataDirectory } = configuration;
  const { logger, clock } = context;
  const snapshotCorrupt = (error: Error): void => {
    logger.error(errorFields(error), 'snapshot passed over; an older one serves');
  };
  if (state.kind !== 'blob') return createDirectoryStateStore({ directory: join(dataDirectory, 'state'), fileSystem, snapshotCorrupt });
  // The client takes a fifth of a second to load: only those wait for it who use it.
  const [{ openAzureContainer }, { createBlobStateStore }] = await Promise.all([import('./stores/azure-container.ts'), import('./stores/blob-state-store.ts')]);
  const container = await openAzureContainer(await readStateCredentials(state), () => readStateCredentials(state));
  return createBlobStateStore({
    container,
    prefix: state.prefix === '' || state.prefix.endsWith('/') ? state.prefix : `${state.prefix}/`,
    clock,
    random: Math.random,
    signal,
    snapshotCorrupt,
    retried: (attempt, error) => logger.warn({ attempt, ...errorFields(error) }, 'the blob container cannot be reached, trying again'),
  });
}

/** Rejects with LS_STATE_CREDENTIALS where a file with them cannot be read, or is empty. */
export function readStateCredentials(state: BlobSettings): Promise<ContainerCredentials> {
  return readContainerCredentials(state, (message, details, options) => stateError('LS_STATE_CREDENTIALS', message, details, options));
}
