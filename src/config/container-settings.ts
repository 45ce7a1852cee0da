/** The settings with which a container of Azure Blob Storage is reached, wherever one is used; a part of settings.ts. */
import { z } from 'zod';
import type { SettingPath } from './mistakes.ts';

export const containerAccess = {
  containerUrl: z
    .string()
    .regex(/^https?:\/\/[^/?#@\s]+(\/[^?#\s]+)+$/, 'https://ACCOUNT.blob.core.windows.net/CONTAINER, without a query')
    .optional()
    .describe("The container: https://ACCOUNT.blob.core.windows.net/CONTAINER. Without a SAS token the process's own identity is used: AZURE_ variables, a workload's or a managed identity."),
  sasToken: z.string().min(1).optional().meta({ writeOnly: true }).describe('Access to `containerUrl` by a shared access signature. Better in the environment or in a file.'),
  sasTokenFile: z.string().min(1).optional().describe('A file that holds the SAS token. Read again when the container refuses the token. Relative to the configuration file.'),
  connectionString: z.string().min(1).optional().meta({ writeOnly: true }).describe('Instead of `containerUrl`: the connection string of the account. Better in the environment or in a file.'),
  connectionStringFile: z.string().min(1).optional().describe('A file that holds the connection string. Read again when the container refuses it. Relative to the configuration file.'),
  container: z
    .string()
    .regex(/^[a-z0-9](-?[a-z0-9]){2,62}$/, 'a container has 3 to 63 of a-z 0-9 and single -')
    .optional()
    .describe('The name of the container, with a connection string.'),
};

export const container = z.strictObject(containerAccess);

export type ContainerSettings = z.output<typeof container>;

/** Exactly one way to a container, and to what it asks for. */
export function checkContainer(settings: ContainerSettings, path: SettingPath, report: (path: SettingPath, message: string, remedy: string) => void): void {
  const { containerUrl, sasToken, sasTokenFile, connectionString, connectionStringFile, container: name } = settings;
  const hasString = connectionString !== undefined || connectionStringFile !== undefined;
  const hasToken = sasToken !== undefined || sasTokenFile !== undefined;
  if (connectionString !== undefined && connectionStringFile !== undefined) report(path, 'connectionString and connectionStringFile are both there', 'Keep one.');
  if (sasToken !== undefined && sasTokenFile !== undefined) report(path, 'sasToken and sasTokenFile are both there', 'Keep one.');
  if (hasString) {
    if (containerUrl !== undefined || hasToken) {
      report(path, 'a connection string and containerUrl are two ways to a container', 'Keep one: containerUrl with or without a SAS token, or a connection string with container.');
    }
    if (name === undefined) report(path, 'a connection string does not name the container', 'Add container: NAME.');
    return;
  }
  if (name !== undefined) report([...path, 'container'], 'container goes with a connection string', 'Name the container in containerUrl, or add the connection string.');
  if (containerUrl === undefined) report(path, 'nothing says where the container is', 'Add containerUrl, or connectionString and container.');
  if (!hasToken && containerUrl?.startsWith('http:') === true) report([...path, 'containerUrl'], 'an identity is never shown without encryption', 'Use https:, or a SAS token.');
}
