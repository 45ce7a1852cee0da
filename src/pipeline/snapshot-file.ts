/**
 * The form of a snapshot file (version 2; 1 is read). Every frame has its own checksum, so that reading can stream; it goes on from the one before it, so
 * that it stands for all of the file up to there: no frame is missing, there twice, or another file's. The mark at the end tells a file that ends
 * early from one that is whole.
 *
 *      magic and version, 8 bytes
 *      frame: length (uint32) | CRC-32 (uint32) | the header as JSON
 *      frame: length | CRC-32 | chunk            as often as there are chunks
 *      end:   0xFFFFFFFF | CRC-32
 *
 * A checksum is the CRC-32 of the magic, then of each length and payload up to its own, then of the end mark. As with the records of the log, damage
 * within 4 bytes of a payload is always found, and any other but once in 2^32 times. In version 1 checksums are of payloads alone, and the SHA-256 of
 * all bytes before the end mark stands behind it; computing that takes several times as long as reading the file.
 */
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { stateError } from '../core/errors/state.ts';
import type { FileHandle } from './file-system.ts';
import type { SnapshotHeader } from './state-store.ts';

const magicOf = (version: number): Buffer => Buffer.from(`LSSNAP\0${String.fromCharCode(version)}`, 'latin1');
const magic = magicOf(2);
const formerMagic = magicOf(1);
const frameHeadBytes = 8;
const endMark = 0xff_ff_ff_ff;
const lengthBytes = 4;
const checksumBytes = 4;
const formerDigestBytes = 32;
/** Enough to make a write worth its call, little enough to keep the main loop free. */
const pieceBytes = 256 * 1024;

/** Writes all of it from offset 0; neither synchronises nor closes. Lets others run between pieces. */
export async function writeSnapshotFile(file: Pick<FileHandle, 'write'>, header: SnapshotHeader, chunks: Iterable<Buffer>): Promise<void> {
  // Used again and again: whatever became garbage here would be as much as the state.
  let piece = Buffer.allocUnsafeSlow(2 * pieceBytes);
  let filled = 0;
  let offset = 0;
  let checksum = crc32(magic);
  const flush = async (): Promise<void> => {
    await file.write(piece.subarray(0, filled), offset);
    offset += filled;
    filled = 0;
    await nextTurn();
  };
  const addFrame = async (payload: Buffer): Promise<void> => {
    const length = frameHeadBytes + payload.length;
    if (filled + length > piece.length) {
      const larger = Buffer.allocUnsafeSlow(filled + length);
      piece.copy(larger, 0, 0, filled);
      piece = larger;
    }
    piece.writeUInt32BE(payload.length, filled);
    checksum = crc32(payload, crc32(piece.subarray(filled, filled + lengthBytes), checksum));
    piece.writeUInt32BE(checksum, filled + lengthBytes);
    payload.copy(piece, filled + frameHeadBytes);
    filled += length;
    if (filled >= pieceBytes) await flush();
  };
  filled = magic.copy(piece);
  await addFrame(Buffer.from(headerText(header)));
  for (const chunk of chunks) await addFrame(chunk);
  await flush();
  const end = Buffer.alloc(lengthBytes + checksumBytes);
  end.writeUInt32BE(endMark);
  end.writeUInt32BE(crc32(end.subarray(0, lengthBytes), checksum), lengthBytes);
  await file.write(end, offset);
}

/** Of one read, and of the next one, which is under way meanwhile. Few frames lie in two, and what reads them may have far to go: no more is asked for than needed. */
const readBytes = 1024 * 1024;

/**
 * The frames, the header's first, as views of what was read; each is gone when the next is taken, since the memory is used again. Each is checked before it
 * is handed out, and so is all that came before it. Rejects with LS_STATE_SNAPSHOT_CORRUPT where the file is not what was written, at its end at the latest.
 */
export async function* readSnapshotFile(file: Pick<FileHandle, 'size' | 'read'>, path: string): AsyncGenerator<Buffer> {
  const { take, left } = createReader(file, await file.size(), path);
  const begin = await take(magic.length);
  const sums = begin.equals(magic) ? checksums() : begin.equals(formerMagic) ? formerChecksums() : undefined;
  if (sums === undefined) throw corrupt(path, 'it does not begin as a snapshot of a known version');
  sums.add(begin);
  for (;;) {
    const mark = await take(lengthBytes);
    const length = mark.readUInt32BE();
    if (length === endMark) {
      sums.addEnd(mark);
      break;
    }
    sums.add(mark);
    const stored = sums.addStored(await take(checksumBytes));
    const payload = await take(length);
    if (!sums.holds(payload, stored)) throw corrupt(path, 'a checksum does not hold');
    yield payload;
  }
  if (!sums.holdsAtEnd(await take(sums.endBytes))) throw corrupt(path, 'the checksum of the whole does not hold');
  if (left() > 0) throw corrupt(path, 'it goes on behind its end');
}

/** Is shown all bytes of a file, in their order. */
type Checksums = {
  readonly add: (bytes: Buffer) => void;
  /** @returns the checksum that a frame has. */
  readonly addStored: (bytes: Buffer) => number;
  readonly holds: (payload: Buffer, stored: number) => boolean;
  readonly addEnd: (mark: Buffer) => void;
  /** Of what stands behind the end mark. */
  readonly endBytes: number;
  readonly holdsAtEnd: (stored: Buffer) => boolean;
};

function checksums(): Checksums {
  let checksum = 0;
  const add = (bytes: Buffer): void => {
    checksum = crc32(bytes, checksum);
  };
  return {
    add,
    addStored: (bytes) => bytes.readUInt32BE(),
    holds: (payload, stored) => {
      add(payload);
      return checksum === stored;
    },
    addEnd: add,
    endBytes: checksumBytes,
    holdsAtEnd: (stored) => checksum === stored.readUInt32BE(),
  };
}

/** Frames that are missing, or in another order, show only at the end. */
function formerChecksums(): Checksums {
  const hash = createHash('sha256');
  const add = (bytes: Buffer): void => void hash.update(bytes);
  return {
    add,
    addStored: (bytes) => {
      add(bytes);
      return bytes.readUInt32BE();
    },
    holds: (payload, stored) => {
      add(payload);
      return crc32(payload) === stored;
    },
    addEnd: () => undefined,
    endBytes: formerDigestBytes,
    holdsAtEnd: (stored) => stored.equals(hash.digest()),
  };
}

export function corrupt(path: string, reason: string, cause?: unknown): Error {
  return stateError('LS_STATE_SNAPSHOT_CORRUPT', `Snapshot ${path} is passed over: ${reason}.`, { path, reason }, { cause });
}

type Reader = {
  /** The next bytes, until others are taken: a view where they lie in one piece. */
  readonly take: (length: number) => Promise<Buffer>;
  /** How many are not taken yet. */
  readonly left: () => number;
};

/** Reads in pieces, the next one while one is taken; a length that the file cannot hold is refused before memory is taken for it. */
function createReader(file: Pick<FileHandle, 'read'>, size: number, path: string): Reader {
  /** Of the piece that is taken, and of the next one. */
  const memories: Buffer[] = [];
  let piece: Buffer = Buffer.alloc(0);
  let gathered: Buffer = Buffer.alloc(0);
  /** Behind what was taken, and behind what was asked for. */
  let offset = 0;
  let askedEnd = 0;
  let askedCount = 0;
  let ahead: { readonly length: number; readonly bytes: Promise<Buffer> } | undefined;
  const readOn = (): void => {
    if (ahead !== undefined || askedEnd === size) return;
    const length = Math.min(readBytes, size - askedEnd);
    const into = (memories[askedCount % 2] ??= Buffer.allocUnsafeSlow(length));
    const bytes = file.read(askedEnd, length, into);
    // It may fail before it is asked for, or never be.
    bytes.catch(() => undefined);
    ahead = { length, bytes };
    askedEnd += length;
    askedCount += 1;
  };
  const nextPiece = async (): Promise<Buffer> => {
    readOn();
    const next = ahead;
    const read = await next?.bytes;
    if (next === undefined || read === undefined || read.length < next.length) throw corrupt(path, 'it ends early');
    ahead = undefined;
    offset += read.length;
    readOn();
    return read;
  };
  const left = (): number => size - offset + piece.length;
  const gather = async (length: number): Promise<Buffer> => {
    if (length > left()) throw corrupt(path, 'it ends early');
    if (gathered.length < length) gathered = Buffer.allocUnsafeSlow(Math.max(length, Math.min(2 * gathered.length, size)));
    for (let filled = piece.copy(gathered); ;) {
      piece = await nextPiece();
      const here = piece.copy(gathered, filled, 0, length - filled);
      piece = piece.subarray(here);
      filled += here;
      if (filled === length) return gathered.subarray(0, length);
    }
  };
  return {
    take: async (length) => {
      if (length > piece.length) return gather(length);
      const taken = piece.subarray(0, length);
      piece = piece.subarray(length);
      return taken;
    },
    left,
  };
}

export function headerText({ stage, topic, incarnation, partition, sequence, position }: SnapshotHeader): string {
  return JSON.stringify({ stage, topic, incarnation, partition, sequence: String(sequence), position });
}

/** Undefined where the bytes are no header. */
export function parseHeader(bytes: Buffer): SnapshotHeader | undefined {
  const parsed = parseJson(bytes);
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const fields = new Map<string, unknown>(Object.entries(parsed));
  const text = (name: string): string | undefined => {
    const value = fields.get(name);
    return typeof value === 'string' ? value : undefined;
  };
  const [stage, topic, incarnation, sequence, position] = ['stage', 'topic', 'incarnation', 'sequence', 'position'].map(text);
  const partition = fields.get('partition');
  if (stage === undefined || topic === undefined || incarnation === undefined || position === undefined) return undefined;
  if (sequence === undefined || !/^\d{1,20}$/.test(sequence) || typeof partition !== 'number') return undefined;
  return { stage, topic, incarnation, partition, sequence: BigInt(sequence), position };
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}
