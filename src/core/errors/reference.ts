import { errorFactory, LabelstreamError, type ErrorArea } from './error.ts';

/**
 * Content that a media event refers to on another host or in a container. That another host is away counts as the input's doing, since the event
 * names the host: whoever may publish could otherwise pause a partition for everybody (SEMANTICS.md, rule 8). A configured container is our own.
 */
export const referenceErrors = {
  LS_REFERENCE_URI: {
    cause: 'input',
    retryable: false,
    summary: 'The URI of a reference is malformed, or holds a user or a password.',
    remedy: 'Correct the producer: an absolute http: or https: URI without user, backslashes and control characters, or that of a blob below a configured container.',
  },
  LS_REFERENCE_NOT_ALLOWED: {
    cause: 'input',
    retryable: false,
    summary: 'A reference, or a redirect on its way, leads to a scheme, host or port that the configuration does not allow. Without media.origins and media.containers nothing is fetched.',
    remedy: 'Add the origin to media.origins (such as https://images.example.com), or the container to media.containers, if every producer may have content fetched from there; then redrive the dead letter.',
  },
  LS_REFERENCE_ADDRESS: {
    cause: 'input',
    retryable: false,
    summary: 'The host of a reference is, or its name leads to, an address that is not public: loopback, private, link-local, a metadata service, or one that stands for another.',
    remedy: 'Where that host is meant to be fetched from, add its network to media.fetch.allowPrivateAddresses; otherwise find out who publishes such references.',
  },
  LS_REFERENCE_REDIRECT: {
    cause: 'input',
    retryable: false,
    summary: 'A reference is redirected more often than media.fetch.redirectsMax allows, or to no place that can be understood.',
    remedy: 'Publish the URI at which the content is, or raise media.fetch.redirectsMax.',
  },
  LS_REFERENCE_NOT_FOUND: {
    cause: 'input',
    retryable: false,
    summary: 'There is nothing at the URI of a reference (404, 410).',
    remedy: 'Write the content before its event is published, and keep it until it is processed. When it is there, redrive the dead letter.',
  },
  LS_REFERENCE_DENIED: {
    cause: 'input',
    retryable: false,
    summary: 'The host of a reference does not let this program have the content (401, 403, 407, 451). No credentials are sent to hosts.',
    remedy: 'Let the host serve it to this program, publish a URI that carries its own permission and is valid long enough, or use a container with credentials (media.containers). Then redrive the dead letter.',
  },
  LS_REFERENCE_REFUSED: {
    cause: 'input',
    retryable: false,
    summary: 'The host of a reference answers with something else than the content.',
    remedy: 'See the status in the message: 200 with the bytes as they are is expected. Correct the host or the URI, then redrive the dead letter.',
  },
  LS_REFERENCE_ENCODED: {
    cause: 'input',
    retryable: false,
    summary: 'The host of a reference sends the content compressed, although it was asked for it as it is. Nothing is unpacked: a small body may unfold without end.',
    remedy: 'Serve the bytes without Content-Encoding; size and SHA-256 of the event are those of the bytes as they are sent.',
  },
  LS_REFERENCE_MISMATCH: {
    cause: 'input',
    retryable: false,
    summary: 'What a reference leads to is not what its event says: its size or its SHA-256 is another.',
    remedy: 'Never change content after its event; publish an event with the size and the SHA-256 of the content as it is now.',
  },
  LS_REFERENCE_UNREACHABLE: {
    cause: 'input',
    retryable: true,
    summary: 'The host of a reference cannot be connected to, or gives no answer: its name, its network, its certificate, or the host itself.',
    remedy: 'Bring the host back, or correct its name or certificate (media.fetch.caFile for an authority of your own). It is tried again for media.fetch.retryMsMax; after that redrive the dead letter.',
  },
  LS_REFERENCE_UNAVAILABLE: {
    cause: 'input',
    retryable: true,
    summary: 'The host of a reference answers that it cannot serve now (408, 425, 429, 5xx), breaks off, or sends too slowly.',
    remedy: 'Mend or relieve the host, or raise media.fetch.totalMsMax or idleMsMax. It is tried again for media.fetch.retryMsMax; after that redrive the dead letter.',
  },
  LS_REFERENCE_CONTAINER_UNREACHABLE: {
    cause: 'environment',
    retryable: true,
    summary: 'One of media.containers does not answer, breaks off, or answers that it cannot serve now. It is waited for.',
    remedy: 'Check the address under media.containers, the network and the state of the storage account.',
  },
  LS_REFERENCE_CONTAINER_REFUSED: {
    cause: 'configuration',
    retryable: true,
    summary: 'One of media.containers is not there, or refuses the credentials. It is waited for: what it holds is not to be lost for that.',
    remedy:
      'Correct the container, the SAS token or the connection string under media.containers, or the managed identity or AZURE_ variables of the process. Needed is the right to read (the role Storage Blob Data Reader). What is in a file is read again; other settings need a restart.',
  },
  LS_REFERENCE_SETTINGS: {
    cause: 'configuration',
    retryable: false,
    summary: 'What media.fetch or media.containers needs is not there or malformed: a file with credentials or certificates, a connection string, an address.',
    remedy: 'Correct the setting that the message names, or the file that it names.',
  },
} as const satisfies ErrorArea;

export type ReferenceErrorCode = keyof typeof referenceErrors;

export const referenceError = errorFactory(referenceErrors);

/** How long a host asks to be left alone; 0 where an error says nothing of it. */
export function retryAfterMsOf(error: unknown): number {
  const waitMs = error instanceof LabelstreamError ? error.details['retryAfterMs'] : undefined;
  return typeof waitMs === 'number' ? waitMs : 0;
}
