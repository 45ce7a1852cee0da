/** Writes Avro by hand, so that messages can be wrong in ways that no encoder would make them. */

/** Any integer as a zigzag varint, without a limit of 64 bits. */
export function long(value: number | bigint): Buffer {
  const wide = BigInt(value);
  let unsigned = wide >= 0n ? wide << 1n : (-wide << 1n) - 1n;
  const bytes: number[] = [];
  for (; unsigned > 0x7fn; unsigned >>= 7n) bytes.push(Number(unsigned & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(unsigned)]);
}

export function string(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([long(bytes.length), bytes]);
}

export function double(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

/** A block with its size in bytes, as encoders write it that let decoders skip. */
export function sizedBlock(count: number, items: Buffer): Buffer {
  return Buffer.concat([long(-count), long(items.length), items]);
}

export const concat = (...parts: readonly Buffer[]): Buffer => Buffer.concat(parts);
export const yes = Buffer.from([1]);
const no = Buffer.from([0]);
/** The count that ends an array or map; the first branch of a union; the empty string. */
export const zero = Buffer.from([0]);

const textFields = {
  id: string('doc-1'),
  source: string('tests'),
  occurredAt: long(1_700_000_000_000),
  text: string('A text.'),
  language: zero,
  tasks: zero,
  collection: zero,
  attributes: zero,
  deleted: no,
};

export type TextFields = Readonly<Record<keyof typeof textFields, Buffer>>;

/** The body of a TextEvent of which some fields are other bytes. */
export function textBody(fields: Partial<TextFields> = {}): Buffer {
  return Buffer.concat(Object.values({ ...textFields, ...fields }));
}
