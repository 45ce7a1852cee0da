/**
 * Frames of the local socket. What arrives is not trusted: lengths are bounded before anything is kept, and a frame that is not one closes
 * its connection.
 *
 *     | length: u32 | header length: u32 | header: JSON | body: bytes |
 *       little-endian; `length` counts what follows it
 *
 * Records travel in the body as they are, the header tells their lengths.
 */
import { logError } from '../../core/errors/log.ts';

export type Frame = { readonly header: unknown; readonly body: Buffer };

export type FrameReader = {
  /** The frames that `chunk` completes. Throws LS_LOG_PROTOCOL_BROKEN; the reader is of no use afterwards. */
  readonly push: (chunk: Buffer) => readonly Frame[];
};

/** Holds the largest record that a configuration can allow (256 MiB), what a dead letter adds to it, and neighbours in its transaction. */
export const frameBytesMax = 272 * 1024 * 1024;
/** Parsing a header holds the main loop: 2 MiB of JSON are some 30,000 records and below 20 ms. */
const headerBytesMax = 2 * 1024 * 1024;
const lengthBytes = 4;

/** Throws LS_LOG_REQUEST_TOO_LARGE. */
export function encodeFrame(header: object, body: readonly Buffer[] = []): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const bodyBytes = body.reduce((sum, part) => sum + part.length, 0);
  const length = lengthBytes + json.length + bodyBytes;
  if (json.length > headerBytesMax || length > frameBytesMax) {
    throw logError(
      'LS_LOG_REQUEST_TOO_LARGE',
      `A call of ${length} bytes, ${json.length} of them bookkeeping, is over the ${frameBytesMax} and ${headerBytesMax} of the local socket.`,
      { bytes: length, headerBytes: json.length },
    );
  }
  const prefix = Buffer.alloc(2 * lengthBytes);
  prefix.writeUInt32LE(length, 0);
  prefix.writeUInt32LE(json.length, lengthBytes);
  return Buffer.concat([prefix, json, ...body], lengthBytes + length);
}

export function createFrameReader(): FrameReader {
  // Chunks are only joined when a frame is whole: a claimed length costs nothing, and no byte is copied twice.
  let chunks: Buffer[] = [];
  let buffered = 0;
  let wanted = lengthBytes;

  const joined = (): Buffer => {
    const whole = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, buffered);
    chunks = [whole];
    return whole;
  };
  return {
    push: (chunk) => {
      chunks.push(chunk);
      buffered += chunk.length;
      const frames: Frame[] = [];
      while (buffered >= wanted) {
        const whole = joined();
        wanted = lengthBytes + checkedLength(whole.readUInt32LE(0));
        if (buffered < wanted) break;
        frames.push(decodeFrame(whole.subarray(lengthBytes, wanted)));
        buffered -= wanted;
        chunks = buffered === 0 ? [] : [whole.subarray(wanted)];
        wanted = lengthBytes;
      }
      return frames;
    },
  };
}

function checkedLength(length: number): number {
  if (length >= lengthBytes && length <= frameBytesMax) return length;
  throw logError('LS_LOG_PROTOCOL_BROKEN', `A frame claims ${length} bytes; frames have ${lengthBytes} to ${frameBytesMax}.`, { length });
}

function decodeFrame(content: Buffer): Frame {
  const headerEnd = lengthBytes + content.readUInt32LE(0);
  if (headerEnd > content.length || headerEnd - lengthBytes > headerBytesMax) {
    throw logError('LS_LOG_PROTOCOL_BROKEN', `A frame of ${content.length} bytes claims a header of ${headerEnd - lengthBytes}.`);
  }
  try {
    const header: unknown = JSON.parse(content.toString('utf8', lengthBytes, headerEnd));
    return { header, body: content.subarray(headerEnd) };
  } catch (error) {
    throw logError('LS_LOG_PROTOCOL_BROKEN', 'The header of a frame is not JSON.', {}, { cause: error });
  }
}
