/**
 * What does not belong into an image. A polyglot is a file that is an image to one program and something else to another; each rule here is
 * one way in which the other program finds its part. Readers of ZIP look for a directory at the end of the file, wherever that is; readers of
 * PDF look into the first 1,024 bytes; archives that unpack themselves are searched for a signature; browsers and interpreters of scripts find
 * their marks in metadata or behind the image. What is behind a JPEG is otherwise free: cameras put further JPEGs there (MPF, gain maps),
 * videos (motion photos) and blocks of their own.
 */

type Signature = { readonly name: string; readonly bytes: Buffer };

const signature = (name: string, text: string): Signature => ({ name, bytes: Buffer.from(text, 'latin1') });

/** Long enough that they are not met by chance in the pixels of a trailing video. */
const anywhereInTrailer = [
  signature('a PDF document', '%PDF-'),
  signature('a RAR archive', 'Rar!\x1a\x07'),
  signature('a 7z archive', '7z\xbc\xaf\x27\x1c'),
  signature('an XZ archive', '\xfd7zXZ\x00'),
];

const atStartOfTrailer = [
  signature('a ZIP archive', 'PK\x03\x04'),
  signature('a gzip archive', '\x1f\x8b\x08'),
  signature('a program', 'MZ'),
  signature('a program', '\x7fELF'),
  signature('a program', '\xca\xfe\xba\xbe'),
  signature('a script', '#!'),
];

/** In metadata and in trailers. Every mark begins with a character that it does not hold again, so that the search never goes back. */
const marks = /<(?:(?<php>\?php)|(?<script>script)|(?<html>html|!doctype)|(?<frame>iframe))/i;
const markNames: Readonly<Record<string, string>> = { php: 'a PHP script', script: 'a script', html: 'an HTML document', frame: 'an HTML frame' };
const markBytesMax = '<!doctype'.length;

/** What is searched as text at once, instead of a string as long as a video. */
const windowBytes = 64 * 1024;

const zipEnd = Buffer.from('PK\x05\x06', 'latin1');
const zipEndBytes = 22;
/** The comment behind the end of a ZIP's directory has at most 65,535 bytes. */
const zipEndDistanceMax = zipEndBytes + 65_535;
const pdfHeaderDistanceMax = 1_024;

/** What else the whole file is, whatever part of it makes it so; undefined where nothing is found. */
export function secondFormatOf(bytes: Buffer): string | undefined {
  if (bytes.subarray(0, pdfHeaderDistanceMax).includes('%PDF-')) return 'a PDF document';
  if (bytes[4] === 0x2f && bytes[5] === 0x2a && bytes[0] === 0xff) return 'a script';
  return endsAsZip(bytes) ? 'a ZIP archive' : undefined;
}

/** What only an interpreter reads, within metadata; the time grows with their length, whatever they hold. */
export function scriptIn(metadata: Buffer): string | undefined {
  // Most metadata are binary.
  for (let at = metadata.indexOf('<'); at >= 0 && at < metadata.length; at += windowBytes) {
    const groups = marks.exec(metadata.toString('latin1', at, at + windowBytes + markBytesMax))?.groups;
    if (groups !== undefined) return markNames[Object.keys(groups).find((name) => groups[name] !== undefined) ?? ''];
  }
  return undefined;
}

/** What hides behind the end of a JPEG, where it is none of what cameras put there. */
export function foreignTrailer(trailer: Buffer): string | undefined {
  const start = trailer.subarray(firstNonZero(trailer));
  const found =
    atStartOfTrailer.find(({ bytes }) => start.subarray(0, bytes.length).equals(bytes)) ??
    anywhereInTrailer.find(({ bytes }) => trailer.includes(bytes));
  return found?.name ?? scriptIn(trailer);
}

function firstNonZero(bytes: Buffer): number {
  let index = 0;
  while (bytes[index] === 0) index += 1;
  return index;
}

/** A record at the end that points back to a directory within the file. */
function endsAsZip(bytes: Buffer): boolean {
  const from = Math.max(0, bytes.length - zipEndDistanceMax);
  for (let at = bytes.indexOf(zipEnd, from); at >= 0 && at + zipEndBytes <= bytes.length; at = bytes.indexOf(zipEnd, at + 1)) {
    const directoryBytes = bytes.readUInt32LE(at + 12);
    const isPlausible = bytes.readUInt16LE(at + 4) === bytes.readUInt16LE(at + 6) && directoryBytes <= at;
    if (isPlausible) return true;
  }
  return false;
}
