/** What fetches the content of references, as a configuration says. */
import { readFile } from 'node:fs/promises';
import { X509Certificate } from 'node:crypto';
import type { FailureError } from './azure/container-client.ts';
import type { Configuration } from './config/load.ts';
import type { ContainerSettings } from './config/container-settings.ts';
import { readContainerCredentials } from './container-credentials.ts';
import type { Clock } from './core/clock.ts';
import { referenceError } from './core/errors/reference.ts';
import { createAllContent } from './references/all-content.ts';
import type { BlobContent } from './references/blob-content.ts';
import type { ContentFetcher } from './stages/extract/content-fetcher.ts';

type MediaSettings = Configuration['media'];

/** Undefined where nothing is to be fetched. Asks nobody yet. Rejects with LS_REFERENCE_SETTINGS. */
export async function openContentFetcher(media: MediaSettings, clock: Clock): Promise<ContentFetcher | undefined> {
  const { origins, containers, fetch } = media;
  if (origins.length === 0 && Object.keys(containers).length === 0) return undefined;
  const { createHttpContent } = await import('./references/http-content.ts');
  const ca = await readAuthorities(media);
  const blobs = await Promise.all(Object.entries(containers).map(([name, settings]) => openBlobContent(name, settings, media, clock)));
  return createAllContent(blobs, createHttpContent({ ...fetch, origins, connectionsPerHostMax: fetch.requestsPerHostMax, ca, clock }));
}

async function openBlobContent(name: string, settings: ContainerSettings, { fetch }: MediaSettings, clock: Clock): Promise<BlobContent> {
  // The client takes a fifth of a second to load: only those wait for it who use it.
  const [{ openContainerClient }, { createBlobContent }] = await Promise.all([import('./azure/container-client.ts'), import('./references/blob-content.ts')]);
  const read = () => readContentCredentials(name, settings);
  const malformed: FailureError = (_failure, message) => referenceError('LS_REFERENCE_SETTINGS', `media.containers.${name}: ${message}`, { setting: `media.containers.${name}` });
  return createBlobContent({ ...fetch, name, container: await openContainerClient(await read(), malformed, read), clock });
}

/** Rejects with LS_REFERENCE_SETTINGS where a file with them cannot be read, or is empty. */
export function readContentCredentials(name: string, settings: ContainerSettings): ReturnType<typeof readContainerCredentials> {
  const setting = `media.containers.${name}`;
  return readContainerCredentials(settings, (message, details, options) => referenceError('LS_REFERENCE_SETTINGS', `${setting}: ${message}`, { setting, ...details }, options));
}

/** PEM; undefined where the configuration names none. Rejects with LS_REFERENCE_SETTINGS. */
export async function readAuthorities({ fetch: { caFile } }: MediaSettings): Promise<string | undefined> {
  if (caFile === undefined) return undefined;
  const setting = 'media.fetch.caFile';
  try {
    const text = await readFile(caFile, 'utf8');
    // What is no certificate Node would pass over in silence, and then trust nobody.
    new X509Certificate(text);
    return text;
  } catch (error) {
    throw referenceError('LS_REFERENCE_SETTINGS', `${setting}: ${caFile}: ${error instanceof Error ? error.message : String(error)}`, { setting }, { cause: error });
  }
}
