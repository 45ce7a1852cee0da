/**
 * The few requests that tell whether a broker really serves: written out here so that readiness does not hang on the retries of a client under test.
 * A frame is a 4-byte length, then api key, api version (2 bytes each), correlation id (4 bytes) and a nullable client id.
 */
import { connect } from 'node:net';

const API_METADATA = 3;
const API_OFFSET_FETCH = 9;
const API_FIND_COORDINATOR = 10;
const CLIENT_ID = 'labelstream-test';
const ANSWER_MS_MAX = 5_000;

/** Resolves when the broker knows itself, and both kinds of coordinator are there and have read their partitions; rejects with what is not so yet. */
export async function probeBroker(port: number, groupPartitions: number): Promise<void> {
  const metadata = await request(port, API_METADATA, 1, int32(0));
  if (metadata.readInt32BE(0) < 1) {
    throw new Error('the broker does not know itself yet');
  }
  // Names that differ in their last digit have hash codes that follow one another, so these touch every partition of __consumer_offsets.
  for (let index = 0; index < groupPartitions; index += 1) {
    const name = `labelstream-test-${index}`;
    expectNoError('group coordinator', (await request(port, API_FIND_COORDINATOR, 1, Buffer.concat([string(name), int8(0)]))).readInt16BE(4));
    const offsets = await request(port, API_OFFSET_FETCH, 2, Buffer.concat([string(name), int32(0)]));
    expectNoError('committed offsets', offsets.readInt16BE(offsets.length - 2));
  }
  expectNoError('transaction coordinator', (await request(port, API_FIND_COORDINATOR, 1, Buffer.concat([string(CLIENT_ID), int8(1)]))).readInt16BE(4));
}

function expectNoError(what: string, errorCode: number): void {
  if (errorCode !== 0) {
    throw new Error(`${what}: error code ${errorCode}`);
  }
}

/** One request on a connection of its own; the answer without its length and correlation id. */
function request(port: number, apiKey: number, apiVersion: number, body: Buffer): Promise<Buffer> {
  const header = Buffer.concat([int16(apiKey), int16(apiVersion), int32(1), string(CLIENT_ID)]);
  const frame = Buffer.concat([int32(header.length + body.length), header, body]);
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: ANSWER_MS_MAX }, () => socket.write(frame));
    let received = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) {
        socket.destroy();
        resolve(received.subarray(8));
      }
    });
    socket.once('timeout', () => socket.destroy(new Error('the broker does not answer')));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the broker closed the connection')));
  });
}

function int8(value: number): Buffer {
  return Buffer.from([value]);
}

function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeInt16BE(value);
  return buffer;
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

function string(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([int16(bytes.length), bytes]);
}
