/** What snapshots need of a container of blobs. Every call is one request, is not repeated, and rejects with an error of the area `state`. */
export type StoredBlob = { readonly name: string; readonly bytes: number; /** Another one once the name stands for other bytes. */ readonly etag: string };

export type BlobContainer = {
  /** Whole blobs alone: what was staged and not committed is not among them. */
  readonly list: (prefix: string, signal: AbortSignal) => Promise<readonly StoredBlob[]>;
  /** Uploads a part of a blob; nobody sees it before `commit`. All block ids of a blob have equal length. */
  readonly stage: (name: string, blockId: string, data: Buffer, signal: AbortSignal) => Promise<void>;
  /** Makes the blob of the blocks, in this order, in one step. `exists`: there is one of that name, which stays as it is. */
  readonly commit: (name: string, blockIds: readonly string[], signal: AbortSignal) => Promise<'committed' | 'exists'>;
  /** Exactly these bytes; `gone` where the blob was removed or replaced since it was listed. */
  readonly read: (blob: StoredBlob, offset: number, length: number, signal: AbortSignal) => Promise<Buffer | 'gone'>;
  /** Nothing where the blob was removed or replaced since it was listed. */
  readonly remove: (blob: StoredBlob, signal: AbortSignal) => Promise<void>;
  /** For messages; without anything secret. */
  readonly describe: (name: string) => string;
};
