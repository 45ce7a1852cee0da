/** What the settings of the snapshots' store have to be together: exactly one way to a container, and to what it asks for. */
import type { SettingPath } from './mistakes.ts';
import type { Settings } from './settings.ts';

type Report = (path: SettingPath, message: string, remedy: string) => void;

export function checkState(state: Settings['state'], report: Report): void {
  if (state.kind !== 'blob') return;
  const { containerUrl, sasToken, sasTokenFile, connectionString, connectionStringFile, container } = state;
  const path = ['state'];
  const hasString = connectionString !== undefined || connectionStringFile !== undefined;
  const hasToken = sasToken !== undefined || sasTokenFile !== undefined;
  if (connectionString !== undefined && connectionStringFile !== undefined) report(path, 'connectionString and connectionStringFile are both there', 'Keep one.');
  if (sasToken !== undefined && sasTokenFile !== undefined) report(path, 'sasToken and sasTokenFile are both there', 'Keep one.');
  if (hasString) {
    if (containerUrl !== undefined || hasToken) {
      report(path, 'a connection string and containerUrl are two ways to a container', 'Keep one: containerUrl with or without a SAS token, or a connection string with container.');
    }
    if (container === undefined) report(path, 'a connection string does not name the container', 'Add container: NAME.');
    return;
  }
  if (container !== undefined) report([...path, 'container'], 'container goes with a connection string', 'Name the container in containerUrl, or add the connection string.');
  if (containerUrl === undefined) report(path, 'nothing says where the container is', 'Add containerUrl, or connectionString and container.');
  if (!hasToken && containerUrl?.startsWith('http:') === true) report([...path, 'containerUrl'], 'an identity is never shown without encryption', 'Use https:, or a SAS token.');
}
