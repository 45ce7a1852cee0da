/**
 * The header of a FLAC frame (RFC 9639, 9.1), by all that it says of itself: the two bytes that it begins with stand within frames as well, and where
 * the checksum of all before them happens to be 0, which it is once in 65,536 places, nothing else tells them from a frame.
 *
 *   11111111 1111100b | block size 4, rate 4 | channels 4, bits 3, 0 | number of the frame or sample, 1 to 7 bytes | block size 0 to 2 bytes | rate 0 to 2 bytes | CRC-8
 */

const channelCodeMax = 10;
const bitsCodeReserved = 3;
const rateCodeInvalid = 15;

/** Of the block size and the rate, by their codes: bytes behind the number. */
const blockSizeBytes: Readonly<Record<number, number>> = { 6: 1, 7: 2 };
const rateBytes: Readonly<Record<number, number>> = { 12: 1, 13: 2, 14: 2 };

export function isFlacFrameHeader(bytes: Buffer, at: number): boolean {
  if (bytes[at] !== 0xff || ((bytes[at + 1] ?? 0) & 0xfe) !== 0xf8) return false;
  const [sizeAndRate = 0, channelsAndBits = 0] = bytes.subarray(at + 2, at + 4);
  const [sizeCode, rateCode] = [sizeAndRate >> 4, sizeAndRate & 15];
  if (sizeCode === 0 || rateCode === rateCodeInvalid) return false;
  if (channelsAndBits >> 4 > channelCodeMax || ((channelsAndBits >> 1) & 7) === bitsCodeReserved || (channelsAndBits & 1) !== 0) return false;
  const numberLength = lengthOfNumber(bytes, at + 4);
  if (numberLength === undefined) return false;
  const crcAt = at + 4 + numberLength + (blockSizeBytes[sizeCode] ?? 0) + (rateBytes[rateCode] ?? 0);
  return crcAt < bytes.length && crcOf(bytes.subarray(at, crcAt)) === bytes[crcAt];
}

/** Written as UTF-8 is, in up to seven bytes. Undefined where it is none. */
function lengthOfNumber(bytes: Buffer, at: number): number | undefined {
  const first = bytes[at] ?? 0;
  // Ones in front: none for one byte, as many as there are bytes otherwise.
  const ones = Math.clz32(~(first << 24));
  if (ones === 1 || ones > 7) return undefined;
  const length = Math.max(1, ones);
  const others = bytes.subarray(at + 1, at + length);
  return others.length === length - 1 && others.every((byte) => (byte & 0xc0) === 0x80) ? length : undefined;
}

function crcOf(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc << 1) ^ ((crc & 0x80) === 0 ? 0 : 0x107);
  }
  return crc;
}
