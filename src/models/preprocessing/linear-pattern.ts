/**
 * Which regular expressions a tokenizer may bring along. JavaScript's search goes back and tries again, which one hostile text can make last for
 * ever, so only a form is taken in which there is nothing to go back to: characters and classes, of which the last alone may be repeated, or
 * several such rows to choose from, each perhaps bound to the start of a line. The steps of a search are then
 * bounded by the length of the text times that of the pattern. Whether the pattern is one at all is seen where it is compiled, at the load, too.
 */

/** Code points by their numbers: none of a half, and no \x80, which is a byte to Oniguruma. */
const codePoint = String.raw`\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}|\\x[0-7][0-9a-fA-F]`;
const escape = String.raw`\\[pP]\{[A-Za-z_]+\}|\\[sSdDwWnrtfv]|\\[^A-Za-z0-9]|${codePoint}`;
/** A character, a class or an escape, as far as Oniguruma, for which such files are written, and JavaScript mean the same by it. */
const atom = String.raw`(?:[^\\^$.*+?()[\]{}|]|\.|${escape}|\[\^?(?:[^\\[\]&]|${escape})+\])`;
/** An end is only asked for behind what is repeated a few times at most: behind `\s+`, every blank of a long row would be gone back to, from every one. */
const row = String.raw`\^?${atom}+(?:[*+]|\{\d{1,2},\}|(?:\?|\{\d{1,2}(?:,\d{1,2})?\})?\$?)`;
const linear = new RegExp(`^${row}(?:\\|${row})*$`, 'u');

const sourceLengthMax = 1_000;

export function isLinearPattern(source: string): boolean {
  return source.length <= sourceLengthMax && linear.test(source);
}

/** The sources of all regular expressions in the steps of a tokenizer.json, however deep they lie. */
export function patternSources(steps: unknown): string[] {
  const sources: string[] = [];
  const open = [steps];
  while (open.length > 0) {
    const step = open.pop();
    if (typeof step !== 'object' || step === null) continue;
    for (const [key, value] of Object.entries(step)) {
      if (key === 'Regex') sources.push(String(value));
      else open.push(value);
    }
  }
  return sources;
}
