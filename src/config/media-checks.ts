/** What no single setting of `media` can know. */
import { isIP } from 'node:net';
import { checkContainer } from './container-settings.ts';
import { isUrl } from './file-paths.ts';
import type { SettingPath } from './mistakes.ts';
import type { Settings } from './settings.ts';

type Report = (path: SettingPath, message: string, remedy: string) => void;

/** @param labels of the custom skill: their host counts as an origin, which they alone may use. */
export function checkMedia(media: Settings['media'], labels: string | undefined, report: Report): void {
  const hasLabelHost = labels !== undefined && isUrl(labels);
  checkOrigins(media, report);
  for (const [name, container] of Object.entries(media.containers)) checkContainer(container, ['media', 'containers', name], report);
  const path = ['media', 'fetch'];
  const { requestsMax, requestsPerHostMax, idleMsMax, totalMsMax, caFile, allowPrivateAddresses } = media.fetch;
  if (requestsPerHostMax > requestsMax) report([...path, 'requestsPerHostMax'], `requestsPerHostMax (${requestsPerHostMax}) is above requestsMax (${requestsMax})`, 'Lower it, or raise requestsMax.');
  if (idleMsMax > totalMsMax) report([...path, 'idleMsMax'], `idleMsMax (${idleMsMax}) is above totalMsMax (${totalMsMax})`, 'Lower it, or raise totalMsMax.');
  if (caFile !== undefined && !hasLabelHost && !media.origins.some((origin) => origin.startsWith('https:'))) {
    report([...path, 'caFile'], 'caFile is given, but no origin of media.origins begins with https:', 'Add the origin that it is for, or remove it.');
  }
  if (allowPrivateAddresses.length > 0 && !hasLabelHost && media.origins.length === 0) {
    report([...path, 'allowPrivateAddresses'], 'allowPrivateAddresses opens nothing without media.origins', 'Add the origins that are at these addresses, or remove it.');
  }
  for (const [index, network] of allowPrivateAddresses.entries()) {
    if (!isNetwork(network)) report([...path, 'allowPrivateAddresses', index], `"${network}" is neither an address nor a network`, 'Write 10.1.2.3, 10.1.0.0/16, ::1 or fd00:1::/48.');
  }
}

function checkOrigins({ origins }: Settings['media'], report: Report): void {
  for (const [index, origin] of origins.entries()) {
    const path = ['media', 'origins', index];
    const plain = origin.replace('//*.', '//');
    if (!URL.canParse(plain)) {
      report(path, `"${origin}" is no origin: its host or port is malformed`, 'Write SCHEME://HOST or SCHEME://HOST:PORT.');
      continue;
    }
    const { hostname, origin: canonical } = new URL(plain);
    const isAddress = isIP(hostname.replace(/^\[(.*)\]$/, '$1')) !== 0;
    if (plain !== origin && isAddress) report(path, `"${origin}": no host is below an address`, 'Name the address itself.');
    // 127.1 and 0x7f000001 are addresses, too.
    else if (isAddress && !plain.includes(hostname)) report(path, `"${origin}" is another way to write ${canonical}`, `Write ${canonical}.`);
    if (origins.indexOf(origin) < index) report(path, `"${origin}" is there already`, 'Keep one.');
  }
}

/** Whether a text is an address, or a network in the notation of prefixes. */
function isNetwork(text: string): boolean {
  const [address = '', prefix] = text.split('/');
  const family = isIP(address);
  return family !== 0 && (prefix === undefined || Number(prefix) <= (family === 4 ? 32 : 128));
}
