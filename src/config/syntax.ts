/** Mistakes of YAML, in words of ours: those of the parser repeat the text, which may be a secret that YAML takes for its own (`*secret`). */
import { visit, type Document, type ErrorCode, type LineCounter } from 'yaml';
import type { ConfigurationMistake } from './mistakes.ts';

const words: Readonly<Record<ErrorCode, string>> = {
  ALIAS_PROPS: 'an alias (*) with an anchor (&) or a tag (!)',
  BAD_ALIAS: 'an alias (*) or an anchor (&) with a name that none can have',
  BAD_COLLECTION_TYPE: 'a tag (!) that is not for such a value',
  BAD_DIRECTIVE: 'a directive (%) that there is not',
  BAD_DQ_ESCAPE: 'a backslash in double quotes before what it cannot stand before',
  BAD_INDENT: 'indented too little or too much, or at a wrong place',
  BAD_PROP_ORDER: 'an anchor (&) or a tag (!) at a wrong place',
  BAD_SCALAR_START: 'a value that begins with a character with which none begins without quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a mapping or a list where only a value can stand, such as a second colon in a line without quotes',
  BLOCK_IN_FLOW: 'an indented mapping or list within brackets',
  DUPLICATE_KEY: 'a key that was given before',
  IMPOSSIBLE: 'not YAML',
  KEY_OVER_1024_CHARS: 'a key that is too long',
  MISSING_CHAR: 'something is missing: a quote, a bracket, a comma, a colon, or a space',
  MULTILINE_IMPLICIT_KEY: 'a key of several lines',
  MULTIPLE_ANCHORS: 'several anchors (&) at one value',
  MULTIPLE_DOCS: 'a second document',
  MULTIPLE_TAGS: 'several tags (!) at one value',
  NON_STRING_KEY: 'a key that is no text',
  RESOURCE_EXHAUSTION: 'values within values, too many',
  TAB_AS_INDENT: 'a tab as indentation',
  TAG_RESOLVE_FAILED: 'a tag (!) that cannot be resolved, or whose value is none of its kind',
  UNEXPECTED_TOKEN: 'something that cannot stand there',
};

/** Total. */
export function syntaxMistakes(document: Document.Parsed, lineCounter: LineCounter): ConfigurationMistake[] {
  const mistake = (offset: number | undefined, message: string): ConfigurationMistake => ({
    code: 'LS_CONFIG_SYNTAX',
    path: [],
    line: offset === undefined ? undefined : lineCounter.linePos(offset).line,
    message,
    remedy: 'Correct the syntax of this line; a value that begins with a sign, or holds a colon, needs quotes.',
  });
  if (document.errors.length > 0) return document.errors.map(({ code, pos }) => mistake(pos[0], words[code]));
  const anchors = new Set<string>();
  const mistakes: ConfigurationMistake[] = [];
  visit(document, {
    Value: (_key, { anchor }) => {
      if (anchor !== undefined) anchors.add(anchor);
    },
    Alias: (_key, { source, range }) => {
      if (!anchors.has(source)) mistakes.push(mistake(range?.[0], 'an alias (*) of which there is no anchor (&) before it'));
    },
  });
  return mistakes;
}
