/** Which of the configured ways leads to a reference: a container of our own before the hosts of others. */
import type { ContentFetcher } from '../stages/extract/content-fetcher.ts';
import type { BlobContent } from './blob-content.ts';
import { parseReferenceUri } from './reference-uri.ts';

export function createAllContent(containers: readonly BlobContent[], http: ContentFetcher): ContentFetcher {
  const blobAt = (uri: string): { readonly container: BlobContent; readonly blobName: string } | undefined => {
    const url = parseReferenceUri(uri);
    for (const container of containers) {
      const blobName = container.blobNameOf(url);
      if (blobName !== undefined) return { container, blobName };
    }
    return undefined;
  };
  return {
    sourceOf: (uri) => {
      const blob = blobAt(uri);
      return blob === undefined ? http.sourceOf(uri) : { kind: 'container', name: blob.container.name };
    },
    fetchContent: async (reference, signal) => {
      const blob = blobAt(reference.uri);
      return blob === undefined ? http.fetchContent(reference, signal) : blob.container.fetchBlob(blob.blobName, reference, signal);
    },
    fetchUpTo: async (uri, bytesMax, signal) => {
      const blob = blobAt(uri);
      return blob === undefined ? http.fetchUpTo(uri, bytesMax, signal) : blob.container.fetchBlobUpTo(blob.blobName, bytesMax, signal);
    },
    close: http.close,
  };
}
