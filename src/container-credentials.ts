/** The credentials for a blob container, from its settings and the files that they name. */
import { readFile } from 'node:fs/promises';
import type { ContainerCredentials } from './azure/container-client.ts';
import type { ContainerSettings } from './config/container-settings.ts';

/** Makes the error of whoever uses the container. */
type CredentialsError = (message: string, details?: { readonly file: string }, options?: ErrorOptions) => Error;

/** Rejects with that error where a file cannot be read, or is empty, as one is that is being written: a container that is asked without a token has nothing to show. */
export async function readContainerCredentials(settings: ContainerSettings, credentialsError: CredentialsError): Promise<ContainerCredentials> {
  const secretOf = async (file: string | undefined): Promise<string | undefined> => {
    if (file === undefined) return undefined;
    const text = await readFile(file, 'utf8').catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw credentialsError(`The file with the credentials for the blob container cannot be read: ${reason}`, { file }, { cause });
    });
    if (text.trim() === '') throw credentialsError(`${file} is empty: it is to hold the credentials for the blob container.`, { file });
    return text.trim();
  };
  const connectionString = settings.connectionString ?? (await secretOf(settings.connectionStringFile));
  if (connectionString !== undefined) return { connectionString, container: settings.container ?? '' };
  return { containerUrl: settings.containerUrl ?? '', sasToken: settings.sasToken ?? (await secretOf(settings.sasTokenFile)) };
}
