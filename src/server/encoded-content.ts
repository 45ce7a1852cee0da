/** Images and sounds within JSON: base64 (RFC 4648), with or without the head of a data URL (RFC 2397). */
import { serverError } from '../core/errors/server.ts';
import { signatureOf } from '../models/preprocessing/image/image-format.ts';
import type { MediaContent } from '../tasks/task-request.ts';

const dataUrl = /^data:([^;,]{0,100})((?:;[^;,]{0,100}){0,8}),/;

/** Throws LS_SERVER_REQUEST, which names the field. */
export function contentOf(text: string, field: string): MediaContent {
  const head = dataUrl.exec(text);
  if (head !== null && !(head[2] ?? '').endsWith(';base64')) throw serverError('LS_SERVER_REQUEST', `${field} is a data URL without ;base64`, { field });
  const bytes = bytesOf(head === null ? text : text.slice(head[0].length), field);
  return { bytes, contentType: head?.[1] === undefined || head[1] === '' ? typeOf(bytes) : head[1].toLowerCase() };
}

/** What is no image is for the model to find out. */
export function typeOf(bytes: Buffer): string {
  const image = signatureOf(bytes);
  return image === undefined ? 'application/octet-stream' : `image/${image}`;
}

/** Node passes over what is no base64, and would make something of anything. */
function bytesOf(encoded: string, field: string): Buffer {
  const text = /\s/.test(encoded) ? encoded.replaceAll(/\s+/g, '') : encoded;
  const digits = text.endsWith('==') ? text.length - 2 : text.endsWith('=') ? text.length - 1 : text.length;
  const bytes = Buffer.from(text, 'base64');
  if (digits === 0 || digits % 4 === 1 || bytes.length !== Math.floor((digits * 3) / 4)) throw serverError('LS_SERVER_REQUEST', `${field} is not base64`, { field });
  return bytes;
}
