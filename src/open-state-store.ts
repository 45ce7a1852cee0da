/** The store of snapshots that a configuration names: a directory, or a blob container. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Configuration } from './config/load.ts';
import { stateError } from './core/errors/state.ts';
import { errorFields } from './observation/log-observer.ts';
import { createDirectoryStateStore } from './pipeline/directory-state-store.ts';
import type { FileSystem } from './pipeline/file-system.ts';
import type { StateStore } from './pipeline/state-store.ts';
import type { ProcessContext } from './process-context.ts';
import type { AzureContainerOptions } from './stores/azure-container.ts';

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
  const container = await openAzureContainer(await readContainerCredentials(state), () => readContainerCredentials(state));
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

/** Rejects with LS_STATE_CREDENTIALS where a file with them cannot be read, or is empty, as one is that is being written: a container that is asked without a token has nothing to show. */
export async function readContainerCredentials(state: BlobSettings): Promise<AzureContainerOptions> {
  const connectionString = state.connectionString ?? (await secretOf(state.connectionStringFile));
  if (connectionString !== undefined) return { connectionString, container: state.container ?? '' };
  return { containerUrl: state.containerUrl ?? '', sasToken: state.sasToken ?? (await secretOf(state.sasTokenFile)) };
}

async function secretOf(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw stateError('LS_STATE_CREDENTIALS', `The file with the credentials for the blob container cannot be read: ${reason}`, { file }, { cause });
  });
  if (text.trim() === '') throw stateError('LS_STATE_CREDENTIALS', `${file} is empty: it is to hold the credentials for the blob container.`, { file });
  return text.trim();
}
