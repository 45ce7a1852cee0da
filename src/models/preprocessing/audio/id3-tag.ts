/** Tags of titles and pictures around MPEG audio and FLAC, which are no sound. */

/** Bytes of the ID3v2 tag at a place; 0 where there is none. It may claim more than there is. */
export function id3Length(bytes: Buffer, at: number): number {
  if (bytes.length < at + 10 || bytes.toString('latin1', at, at + 3) !== 'ID3') return 0;
  const sizes = [6, 7, 8, 9].map((offset) => bytes[at + offset] ?? 0);
  // Seven bits of each byte count.
  if (sizes.some((byte) => byte > 0x7f) || (bytes[at + 3] ?? 0xff) === 0xff || (bytes[at + 4] ?? 0xff) === 0xff) return 0;
  const hasFooter = ((bytes[at + 5] ?? 0) & 0x10) !== 0;
  return 10 + sizes.reduce((total, byte) => total * 128 + byte, 0) + (hasFooter ? 10 : 0);
}

const oldTagLength = 128;
const apeFooterLength = 32;

/** Where the sound ends, in front of tags of the kinds ID3v1 and APEv2. */
export function endBeforeTags(bytes: Buffer): number {
  let end = bytes.length;
  if (end >= oldTagLength && bytes.toString('latin1', end - oldTagLength, end - oldTagLength + 3) === 'TAG') end -= oldTagLength;
  const footer = end - apeFooterLength;
  if (footer >= 0 && bytes.toString('latin1', footer, footer + 8) === 'APETAGEX') {
    const hasHeader = (bytes.readUInt32LE(footer + 20) & 0x8000_0000) !== 0;
    const length = bytes.readUInt32LE(footer + 12) + (hasHeader ? apeFooterLength : 0);
    if (length <= end) end -= length;
  }
  return end;
}
