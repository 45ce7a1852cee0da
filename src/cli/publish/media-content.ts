/** What the event of an image carries: its bytes, or where they are, with size and SHA-256. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { cliError } from '../../core/errors/cli.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import type { Reference } from '../../core/events.generated.ts';
import type { ContentFetcher } from '../../stages/extract/content-fetcher.ts';
import { isBelow } from '../../stages/extract/file-content.ts';
import { uriLengthMax } from '../../stages/extract/media-content.ts';
import type { MediaFile } from './media-files.ts';

export type Carried =
  | { readonly kind: 'bytes' }
  /** Its file: URI. */
  | { readonly kind: 'file' }
  /** Where the files are served, or lie in a container, by their ids. */
  | { readonly kind: 'uri'; readonly base: URL };

/** Throws LS_CLI_USAGE. */
export function carriedBy({ reference, byReference }: { readonly reference?: boolean; readonly byReference?: string }): Carried {
  if (byReference === undefined) return { kind: reference === true ? 'file' : 'bytes' };
  const base = URL.canParse(byReference) ? new URL(byReference) : undefined;
  if (base === undefined || !/^https?:$/.test(base.protocol) || base.hash !== '' || base.username !== '' || base.password !== '') {
    // Without the value, which may hold a secret.
    throw cliError('LS_CLI_USAGE', '--by-reference needs an https: or http: URI without user and fragment, such as https://images.example.com/photos');
  }
  return { kind: 'uri', base };
}

/** Rejects with LS_CLI_FILE. */
export async function contentOf(image: MediaFile, carried: Carried): Promise<Buffer | Reference> {
  const { file } = image;
  try {
    return carried.kind === 'bytes' ? await readFile(file) : { uri: await uriOf(image, carried), ...(await fingerprint(file)) };
  } catch (error) {
    throw cliError('LS_CLI_FILE', `${file}: ${(error as Error).message}`, { file }, { cause: error });
  }
}

async function fingerprint(file: string): Promise<Pick<Reference, 'sha256' | 'sizeBytes'>> {
  const hash = createHash('sha256');
  let sizeBytes = 0n;
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    sizeBytes += BigInt(chunk.length);
  }
  return { sha256: hash.digest('hex'), sizeBytes };
}

async function uriOf({ file, id }: MediaFile, carried: Exclude<Carried, { readonly kind: 'bytes' }>): Promise<string> {
  if (carried.kind === 'file') return pathToFileURL(await realpath(file)).href;
  const { origin, pathname, search } = carried.base;
  return `${origin}${pathname.replace(/\/$/, '')}/${id.split('/').map(encodeURIComponent).join('/')}${search}`;
}

/** A reference of the right form, with nothing in it yet that takes reading the file. Rejects with LS_CLI_INPUT where EXTRACT would not follow it. */
export async function referenceBefore(
  image: MediaFile,
  carried: Exclude<Carried, { readonly kind: 'bytes' }>,
  { roots, fetcher }: { readonly roots: readonly string[]; readonly fetcher: ContentFetcher | undefined },
): Promise<Reference> {
  const { file } = image;
  const refused = (message: string): Error => cliError('LS_CLI_INPUT', `${file}: ${message}`, { file });
  const uri = await uriOf(image, carried);
  if (carried.kind === 'file') {
    const real = await realpath(file);
    if (!roots.some((root) => isBelow(real, root))) throw refused('it does not lie below one of media.directories, so references to it are refused');
  } else {
    if (fetcher === undefined) throw refused('nothing is fetched: neither media.origins nor media.containers names anything');
    try {
      fetcher.sourceOf(uri);
    } catch (error) {
      if (error instanceof LabelstreamError) throw refused(`references to it are refused: ${error.message}`);
      throw error;
    }
  }
  if (uri.length > uriLengthMax) throw refused(`its URI has ${uri.length} characters; at most ${uriLengthMax} are allowed`);
  return { uri, sha256: '0'.repeat(64), sizeBytes: BigInt(image.sizeBytes) };
}
