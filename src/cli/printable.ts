/**
 * What a terminal would obey instead of showing it (escape sequences in the ids and texts of strangers, characters that reorder others or only
 * format them), as something to look at: `\u{1b}` for ESC. The two joiners stay, which Persian and families of emoji are written with.
 */
const unsafe = /[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]--[\u200c\u200d]]/gv;

/** On one line. Idempotent. */
export function printableLine(text: string): string {
  return text.replace(unsafe, escaped);
}

/** With the line breaks that are in it. */
export function printableLines(text: string): string {
  return text.replace(unsafe, (character) => (character === '\n' ? character : escaped(character)));
}

function escaped(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** Of JSON text, which stays equal: JSON itself escapes only the first 32 control characters, and only within its strings. */
export function printableJson(json: string): string {
  // Of ASCII, as most is, only DEL is left; to see that takes a fifth of the time.
  if (Buffer.byteLength(json) === json.length && !json.includes('\u007f')) return json;
  return json.replace(unsafe, (character) => (character === '\n' ? character : codeUnits(character).map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')));
}

/** Of JSON text whose strings are shown to a person: those that JSON does not escape become what `printableLine` makes of them. */
export function printableQuoted(json: string): string {
  return json.replace(unsafe, (character) => (character === '\n' ? character : `\\${escaped(character)}`));
}

function codeUnits(character: string): number[] {
  return Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
}
