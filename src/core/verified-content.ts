/** The bytes of a reference as they arrive, held against what its event says: nothing beyond the size is taken, and no other bytes than those of the hash are given on. */
import { createHash } from 'node:crypto';
import type { Reference } from './events.generated.ts';

/**
 * Takes chunks until the size is reached, and one more look for what may follow. Rejects with what the chunks reject with.
 * @param mismatch makes the error for what is wrong, such as `has more than 5 bytes`.
 * @param arrived told of each chunk's size.
 */
export async function verifiedContent(
  { sha256, sizeBytes }: Pick<Reference, 'sha256' | 'sizeBytes'>,
  chunks: AsyncIterable<Uint8Array>,
  mismatch: (what: string) => Error,
  arrived: (bytes: number) => void = () => undefined,
): Promise<Uint8Array> {
  const expected = Number(sizeBytes);
  // Not from the pool: a worker thread gets a copy of the whole memory that a view is of.
  const bytes = Buffer.allocUnsafeSlow(expected);
  const hash = createHash('sha256');
  let received = 0;
  for await (const chunk of chunks) {
    arrived(chunk.length);
    // Leaving the loop ends the stream, and with it the connection.
    if (received + chunk.length > expected) throw mismatch(`has more than the ${expected} bytes that the event says`);
    bytes.set(chunk, received);
    hash.update(chunk);
    received += chunk.length;
  }
  if (received < expected) throw mismatch(`has ${received} bytes; the event says ${expected}`);
  if (hash.digest('hex') !== sha256) throw mismatch('has another SHA-256 than the event says');
  return bytes;
}
