/**
 * The journal says what is committed; nothing else does. A commit is one frame, synchronised before anyone hears of it. A file begins with
 * the whole state, so recovery needs the newest file alone:
 *
 *   <number>.journal   header | whole state | commit | commit | ...
 *
 * Rules that recovery rests on:
 * - one write is in flight, so only the last frame of a file can be torn;
 * - an older file goes only after the newer one, and its directory entry, are durable;
 * - once a newer file was begun, nothing is written to the older one any more, whatever happens: where the newer one turns out torn, the
 *   older one is complete.
 */
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { FileHandle, FileSystem } from '../../pipeline/file-system.ts';
import { checkFileHeader, corruptFile, encodeFileHeader, fileHeaderBytes, numberedName, numberInName, unknownFormat } from './file-header.ts';
import { decodeJournalFrame, encodeJournalFrame, findJournalFrame } from './journal-frame.ts';
import { applyChange, emptyLogState, wholeState, type LogChange, type LogState } from './log-state.ts';

const extension = 'journal';
const framesPerTurn = 500;

/**
 * The file grows by this at a time, filled with zeros: to synchronise a write within the file takes less than half as long as one that
 * makes it longer, because the file system has no new size to note.
 */
const growthBytesMax = 64 * 1024;

export type Journal = {
  /** Durable when it resolves; after a rejection the frame may or may not be. One call at a time. */
  readonly append: (change: LogChange) => Promise<void>;
  readonly rollDue: () => boolean;
  /** Goes on in a new file that begins with `state`. */
  readonly roll: (state: LogState) => Promise<void>;
  readonly close: () => Promise<void>;
};

export type JournalOptions = {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  /** Bytes of commits after which a new file is begun. */
  readonly journalBytes: number;
};

export type RecoveredJournal = {
  /** Undefined where there was none: a new log. */
  readonly state: LogState | undefined;
  readonly lastFileNumber: bigint;
  readonly lastFrameNumber: number;
  /** A torn last frame, or a torn newer file. */
  readonly cut: { readonly file: string; readonly bytes: number } | undefined;
};

type OpenJournalFile = { readonly handle: FileHandle; readonly stateEnd: number; allocatedEnd: number };

/** Begins a file after the recovered ones. What was recovered is thereby written anew, whatever state the old files were in. */
export async function startJournal(options: JournalOptions, recovered: RecoveredJournal, state: LogState): Promise<Journal> {
  const { fileSystem, directory, journalBytes } = options;
  const growth = Math.min(growthBytesMax, journalBytes);
  let frameNumber = recovered.lastFrameNumber;
  let fileNumber = recovered.lastFileNumber;

  const startFile = async (current: LogState): Promise<OpenJournalFile> => {
    fileNumber += 1n;
    const handle = await fileSystem.open(join(directory, numberedName(fileNumber, extension)), { create: true });
    try {
      frameNumber += 1;
      const start = Buffer.concat([
        encodeFileHeader('journal', fileNumber),
        encodeJournalFrame({ number: frameNumber, change: wholeState(current) }),
      ]);
      const file = { handle, stateEnd: start.length, allocatedEnd: 0 };
      await writeGrowing(file, start, 0, growth);
      await handle.dataSync();
      await fileSystem.directorySync(directory);
      await removeOlder(options, fileNumber);
      return file;
    } catch (error) {
      await handle.close();
      throw error;
    }
  };

  let file = await startFile(state);
  let end = file.stateEnd;
  return {
    append: async (change) => {
      const frame = encodeJournalFrame({ number: frameNumber + 1, change });
      await writeGrowing(file, frame, end, growth);
      await file.handle.dataSync();
      frameNumber += 1;
      end += frame.length;
    },
    rollDue: () => end - file.stateEnd >= journalBytes,
    roll: async (current) => {
      const older = file;
      file = await startFile(current);
      end = file.stateEnd;
      await older.handle.close();
    },
    close: () => file.handle.close(),
  };
}

async function writeGrowing(file: OpenJournalFile, data: Buffer, offset: number, growth: number): Promise<void> {
  const end = offset + data.length;
  if (end <= file.allocatedEnd) return file.handle.write(data, offset);
  const allocatedEnd = Math.ceil(end / growth) * growth;
  await file.handle.write(Buffer.concat([data, Buffer.alloc(allocatedEnd - end)]), offset);
  file.allocatedEnd = allocatedEnd;
}

/** Older files are only in the way. What cannot be removed now is tried again with the next file. */
async function removeOlder(options: JournalOptions, fileNumber: bigint): Promise<void> {
  const { fileSystem, directory } = options;
  try {
    for (const name of await fileSystem.list(directory)) {
      const number = numberInName(name, extension);
      if (number !== undefined && number < fileNumber) await fileSystem.remove(join(directory, name));
    }
  } catch {
    // Nothing was lost: they are older than the durable file, and the newest one counts.
  }
}

/** Rejects with LS_LOG_CORRUPT or LS_LOG_FORMAT. */
export async function recoverJournal(options: Pick<JournalOptions, 'fileSystem' | 'directory'>): Promise<RecoveredJournal> {
  const names = await options.fileSystem.list(options.directory);
  const numbers = names.map((name) => numberInName(name, extension)).filter((number) => number !== undefined);
  const lastFileNumber = numbers.at(-1) ?? 0n;
  let torn: RecoveredJournal['cut'];
  for (const number of numbers.reverse()) {
    const path = join(options.directory, numberedName(number, extension));
    const content = await readWhole(options.fileSystem, path);
    const read = await readJournalFile(path, number, content);
    if (read !== undefined) {
      const bytes = writtenBytes(content.subarray(read.end));
      const cut = bytes > 0 ? { file: path, bytes } : torn;
      return { state: read.state, lastFileNumber, lastFrameNumber: read.lastFrameNumber, cut };
    }
    torn ??= { file: path, bytes: content.length };
  }
  return { state: undefined, lastFileNumber, lastFrameNumber: 0, cut: torn };
}

async function readWhole(fileSystem: FileSystem, path: string): Promise<Buffer> {
  const handle = await fileSystem.open(path, { create: false });
  try {
    return await handle.read(0, await handle.size());
  } finally {
    await handle.close();
  }
}

/** Up to the last byte that is not zero: zeros are what a file is grown with. */
function writtenBytes(tail: Buffer): number {
  let bytes = tail.length;
  while (bytes > 0 && tail[bytes - 1] === 0) bytes -= 1;
  return bytes;
}

type ReadJournal = { readonly state: LogState; readonly lastFrameNumber: number; readonly end: number };

/** Undefined where the file's beginning is torn, so that nothing was ever committed to it. */
async function readJournalFile(path: string, number: bigint, content: Buffer): Promise<ReadJournal | undefined> {
  const header = checkFileHeader('journal', number, content);
  if (header === 'other-format') throw unknownFormat(path);
  const first = header === 'valid' ? decodeJournalFrame(content, fileHeaderBytes) : undefined;
  if (first === undefined) {
    // Commits are appended only after the beginning was synchronised: where one is found, the beginning was whole once.
    const headerOnly = header === 'invalid' ? decodeJournalFrame(content, fileHeaderBytes) : undefined;
    refuseLaterFrame(path, content, headerOnly?.end ?? 0, header === 'valid' ? fileHeaderBytes : 0);
    return undefined;
  }
  const state = emptyLogState();
  let position = fileHeaderBytes;
  let lastFrameNumber = first.frame.number - 1;
  for (let count = 1; ; count += 1) {
    const decoded = decodeJournalFrame(content, position);
    if (decoded === undefined) break;
    if (decoded.frame.number !== lastFrameNumber + 1) throw corruptFile(path, position, 'a frame before this one is missing');
    try {
      applyChange(state, decoded.frame.change);
    } catch (error) {
      throw corruptFile(path, position, error instanceof Error ? error.message : String(error), { cause: error });
    }
    lastFrameNumber = decoded.frame.number;
    position = decoded.end;
    if (count % framesPerTurn === 0) await setImmediate();
  }
  refuseLaterFrame(path, content, position, position);
  return { state, lastFrameNumber, end: position };
}

/** A bad frame with a good one behind it cannot come from a crash. */
function refuseLaterFrame(path: string, content: Buffer, from: number, position: number): void {
  const later = findJournalFrame(content, from);
  if (later !== undefined) throw corruptFile(path, position, `a frame does not match its sum, yet a good one follows at byte ${later}`);
}
