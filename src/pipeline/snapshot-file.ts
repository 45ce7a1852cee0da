/**
 * The form of a snapshot file. Every frame has its own checksum, so that reading can stream; the total at the end tells a file that ends early
 * from one that is whole.
 *
 *      magic and version, 8 bytes
 *      frame: length (uint32) | CRC-32 (uint32) | the header as JSON
 *      frame: length | CRC-32 | chunk            as often as there are chunks
 *      end:   0xFFFFFFFF | SHA-256 of all bytes before the end mark
 */
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { stateError } from '../core/errors/state.ts';
import type { FileHandle } from './file-system.ts';
import type { SnapshotHeader } from './state-store.ts';

const magic = Buffer.from('LSSNAP\0\x01', 'latin1');
const frameHeadBytes = 8;
const endMark = 0xff_ff_ff_ff;
const endBytes = 4 + 32;
/** Enough to make a write worth its call, little enough to keep the main loop free. */
const pieceBytes = 256 * 1024;

/** Writes all of it from offset 0; neither synchronises nor closes. Lets others run between pieces. */
export async function writeSnapshotFile(file: Pick<FileHandle, 'write'>, header: SnapshotHeader, chunks: Iterable<Buffer>): Promise<void> {
  const hash = createHash('sha256');
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let offset = 0;
  const flush = async (): Promise<void> => {
    const piece = Buffer.concat(pending);
    pending = [];
    pendingBytes = 0;
    hash.update(piece);
    await file.write(piece, offset);
    offset += piece.length;
    await nextTurn();
  };
  const add = (bytes: Buffer): void => {
    pending.push(bytes);
    pendingBytes += bytes.length;
  };
  add(magic);
  add(frameOf(Buffer.from(headerText(header))));
  for (const chunk of chunks) {
    add(frameOf(chunk));
    if (pendingBytes >= pieceBytes) await flush();
  }
  await flush();
  const end = Buffer.alloc(endBytes);
  end.writeUInt32BE(endMark, 0);
  hash.digest().copy(end, 4);
  await file.write(end, offset);
}

/** Copies: the stage may fill the same buffer again. */
function frameOf(payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(frameHeadBytes + payload.length);
  frame.writeUInt32BE(payload.length, 0);
  frame.writeUInt32BE(crc32(payload), 4);
  payload.copy(frame, frameHeadBytes);
  return frame;
}

/** The frames, the header's first. Rejects with LS_STATE_SNAPSHOT_CORRUPT where the file is not what was written, at its end at the latest. */
export async function* readSnapshotFile(file: Pick<FileHandle, 'size' | 'read'>, path: string): AsyncGenerator<Buffer> {
  const size = await file.size();
  const take = createReader(file, size, path);
  const hash = createHash('sha256');
  const begin = await take(magic.length);
  if (!begin.equals(magic)) throw corrupt(path, 'it does not begin as a snapshot of this version');
  hash.update(begin);
  for (;;) {
    const length = await take(4);
    if (length.readUInt32BE() === endMark) break;
    const checksum = await take(4);
    const payload = await take(length.readUInt32BE());
    if (crc32(payload) !== checksum.readUInt32BE()) throw corrupt(path, 'a checksum does not hold');
    hash.update(length).update(checksum).update(payload);
    yield payload;
  }
  if (!(await take(32)).equals(hash.digest())) throw corrupt(path, 'the checksum of the whole does not hold');
}

export function corrupt(path: string, reason: string, cause?: unknown): Error {
  return stateError('LS_STATE_SNAPSHOT_CORRUPT', `Snapshot ${path} is passed over: ${reason}.`, { path }, { cause });
}

type Take = (length: number) => Promise<Buffer>;

/** Reads ahead in pieces; a length that the file cannot hold is refused before memory is taken for it. */
function createReader(file: Pick<FileHandle, 'read'>, size: number, path: string): Take {
  let buffered: Buffer = Buffer.alloc(0);
  let offset = 0;
  return async (length) => {
    if (length > buffered.length) {
      if (length - buffered.length > size - offset) throw corrupt(path, 'it ends early');
      const more = await file.read(offset, Math.max(length - buffered.length, Math.min(pieceBytes, size - offset)));
      offset += more.length;
      buffered = Buffer.concat([buffered, more]);
      if (length > buffered.length) throw corrupt(path, 'it ends early');
    }
    const taken = buffered.subarray(0, length);
    buffered = buffered.subarray(length);
    return taken;
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
