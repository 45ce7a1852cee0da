/** The framing of protobuf, which is all that reading and extending an ONNX file takes: numbered fields, whose bodies may be messages again. */

export type Field = { readonly number: number; readonly value: number; readonly body: Uint8Array | undefined };

/** Throws RangeError where the bytes are no protobuf. Numbers of more than 53 bits come out rounded. */
export function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  let offset = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[offset];
      if (byte === undefined) throw new RangeError('the file ends inside a number');
      offset += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number is longer than ten bytes');
  };
  while (offset < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (wireType === 0) {
      yield { number, value: varint(), body: undefined };
      continue;
    }
    const length = wireType === 2 ? varint() : wireType === 1 ? 8 : wireType === 5 ? 4 : Number.NaN;
    if (!(offset + length <= bytes.length)) throw new RangeError(`field ${number} is cut off or of an unknown type`);
    const body = bytes.subarray(offset, offset + length);
    offset += length;
    yield { number, value: 0, body: wireType === 2 ? body : undefined };
  }
}

export function textOf(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('utf8');
}

/** A field whose body is text or a message. */
export function bodyField(number: number, body: Uint8Array): Uint8Array {
  return Buffer.concat([varint(number * 8 + 2), varint(body.length), body]);
}

/** @param value below 2^31. */
export function numberField(number: number, value: number): Uint8Array {
  return Buffer.concat([varint(number * 8), varint(value)]);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Uint8Array.from([...bytes, rest]);
}
