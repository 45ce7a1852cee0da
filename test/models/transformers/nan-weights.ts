/** Puts NaN into one row of a float32 matrix of an ONNX file, without an ONNX library: the name of a tensor is followed by its data. */
export function withNanRow(bytes: Buffer, name: string, [rows, width]: readonly [number, number], row: number): Buffer {
  const broken = Buffer.from(bytes);
  const text = Buffer.from(name);
  for (let at = broken.indexOf(text); at >= 0; at = broken.indexOf(text, at + 1)) {
    let place = at + text.length;
    // raw_data: field 9, length-delimited.
    if (broken[place] !== 0x4a) continue;
    place += 1;
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = broken[place]!;
      place += 1;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    if (length !== 4 * rows * width) continue;
    for (let column = 0; column < width; column += 1) broken.writeFloatLE(Number.NaN, place + 4 * (row * width + column));
    return broken;
  }
  throw new Error(`no tensor ${name}`);
}
