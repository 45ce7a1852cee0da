/**
 * The file port: the few operations that durable state needs, so that the tests can stand a disk behind it that loses or tears whatever was
 * not synchronised (test/simulation).
 */
export type FileHandle = {
  /** Writes all of `data` at `offset`. */
  readonly write: (data: Buffer, offset: number) => Promise<void>;
  /** Reads up to `length` bytes from `offset`; fewer only at the end of the file. @param into where they may be put, if there is room. */
  readonly read: (offset: number, length: number, into?: Buffer) => Promise<Buffer>;
  /** fdatasync: the data and whatever is needed to read it back, the size included. */
  readonly dataSync: () => Promise<void>;
  readonly truncate: (length: number) => Promise<void>;
  readonly size: () => Promise<number>;
  readonly close: () => Promise<void>;
};

export type FileSystem = {
  /** Opens for reading and writing; `create` makes it (its directory entry is durable only after `directorySync`). Rejects with code ENOENT. */
  readonly open: (path: string, options: { readonly create: boolean }) => Promise<FileHandle>;
  /** Names, sorted; none where the directory does not exist. */
  readonly list: (directory: string) => Promise<readonly string[]>;
  /** Makes it and its missing parents; nothing where it exists. Each new entry is durable only after `directorySync` of its parent. */
  readonly makeDirectory: (directory: string) => Promise<void>;
  /** Within a directory. Never in the place of another: rejects with code EEXIST where `to` is there already. */
  readonly rename: (from: string, to: string) => Promise<void>;
  readonly remove: (path: string) => Promise<void>;
  /** fsync of a directory: makes the entries made, renamed and removed in it durable. */
  readonly directorySync: (directory: string) => Promise<void>;
};
