/** The port of whatever keeps a repository of a model: the hub, a mirror of it behind a URL, or a directory. */

export type ListedFile = {
  /** As the repository calls it, unchecked. */
  readonly path: string;
  /** The rest as far as the repository tells it. */
  readonly sizeBytes?: number | undefined;
  readonly sha256?: string | undefined;
  /** SHA-1 of git's blob: of `blob SIZE\0` and the content. */
  readonly gitSha1?: string | undefined;
};

export type Listing = {
  /** The commit, in 40 digits. */
  readonly revision: string;
  /** Undefined where the mirror keeps no list. */
  readonly files: readonly ListedFile[] | undefined;
};

/** What is there of a file already, and the mark of what it is the beginning of. */
export type Beginning = { readonly sizeBytes: number; readonly validator: string };

export type OpenedFile = {
  /** Where the body begins: behind the beginning, or at 0. */
  readonly offset: number;
  /** Of the whole file, where it is told. */
  readonly sizeBytes: number | undefined;
  /** By which the rest of these very bytes can be asked for later. */
  readonly validator: string | undefined;
  /** Rejects with LS_PULL_UNAVAILABLE where it breaks off. */
  readonly body: AsyncIterable<Uint8Array>;
};

/** Of one repository. All reject with LS_PULL_*. */
export type Mirror = {
  /** Where it is, for messages and the lock file: without secrets. */
  readonly told: string;
  readonly list: (revision: string, signal: AbortSignal) => Promise<Listing>;
  readonly open: (file: { readonly revision: string; readonly path: string; readonly beginning?: Beginning | undefined }, signal: AbortSignal) => Promise<OpenedFile>;
  readonly close: () => Promise<void>;
};

const commit = /^[0-9a-f]{40}$/;

/** Whether it names one state for ever; a branch or a tag may name another one tomorrow. */
export function isCommit(revision: string): boolean {
  return commit.test(revision);
}
