/** The port to content that is not here: what EXTRACT asks of whoever fetches from hosts and containers. */
import type { Reference } from '../../core/events.generated.ts';

/** Where a reference leads: what limits and outages are kept by. */
export type ContentSource = {
  /** `http`: a host of somebody's. `container`: one of our own, which is waited for. */
  readonly kind: 'http' | 'container';
  /** `https://images.example.com`, or the name of the container in the configuration. */
  readonly name: string;
};

export type ContentFetcher = {
  /** Asks nobody. Throws LS_REFERENCE_URI, and LS_REFERENCE_NOT_ALLOWED. */
  readonly sourceOf: (uri: string) => ContentSource;
  /**
   * One attempt. The reference is well formed, its size within the limit. Resolves with bytes of exactly its size and SHA-256; rejects with
   * LS_REFERENCE_*, and with the signal's reason when it aborts.
   */
  readonly fetchContent: (reference: Reference, signal: AbortSignal) => Promise<Uint8Array>;
  /** One attempt, at what nobody has said the size and the hash of: for whoever asks, not for the log. Rejects with LS_MEDIA_TOO_LARGE, LS_REFERENCE_*, and the signal's reason. */
  readonly fetchUpTo: (uri: string, bytesMax: number, signal: AbortSignal) => Promise<Uint8Array>;
  /** Ends what is kept open. */
  readonly close: () => Promise<void>;
};
