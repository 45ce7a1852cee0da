/** The bytes of what nobody has said the size of, as they arrive: no more of them are taken than are wanted. */

/** @param tooLarge makes the error for more. @param arrived told of each chunk's size. Rejects with what the chunks reject with. */
export async function boundedContent(chunks: AsyncIterable<Uint8Array>, bytesMax: number, tooLarge: () => Error, arrived: (bytes: number) => void = () => undefined): Promise<Uint8Array> {
  const taken: Uint8Array[] = [];
  let received = 0;
  for await (const chunk of chunks) {
    arrived(chunk.length);
    received += chunk.length;
    // Leaving the loop ends the stream, and with it the connection.
    if (received > bytesMax) throw tooLarge();
    taken.push(chunk);
  }
  // Not from the pool: a worker thread gets a copy of the whole memory that a view is of.
  const bytes = Buffer.allocUnsafeSlow(received);
  let offset = 0;
  for (const chunk of taken) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}
