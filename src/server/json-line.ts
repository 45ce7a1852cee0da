/** JSON that stays one line for everybody: Python's `splitlines`, with which its clients read streams, ends lines at these characters, too (Unicode, annex 14: NEL, LS, PS). */
const lineEnds = /[\u0085\u2028\u2029]/g;

export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(lineEnds, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
