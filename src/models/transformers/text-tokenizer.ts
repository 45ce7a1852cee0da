/** The tokenizer that a transformer was published with, for short texts: prefixes, classes, and what a model wrote. */
import { Tokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import { modelError } from '../../core/errors/model.ts';
import { shortTextLengthMax } from '../../core/short-text.ts';
import type { TransformerArtefacts } from '../repository.ts';
import { publishedFile, refuseFile } from './published-files.ts';

export type TextTokenizer = {
  /** With the special tokens that belong to a text. */
  readonly encode: (text: string) => readonly number[];
  /** Without them. */
  readonly encodePlain: (text: string) => readonly number[];
  /** Without special tokens; '' for none. */
  readonly decode: (ids: readonly number[]) => string;
  /** Undefined where there is no such token. */
  readonly idOf: (token: string) => number | undefined;
};

const tokenizerFile = z.looseObject({ model: z.looseObject({ type: z.string() }) });

/** Throws LS_MODEL_LOAD. */
export function createTextTokenizer(artefacts: TransformerArtefacts): TextTokenizer {
  const file = publishedFile(artefacts, 'tokenizer.json', tokenizerFile);
  const config = publishedFile(artefacts, 'tokenizer_config.json', z.looseObject({}));
  const tokenizer = opened(artefacts, file, config);
  const encode = (text: string, hasSpecial: boolean): readonly number[] => {
    if (text.length > shortTextLengthMax) {
      throw modelError('LS_MODEL_INPUT', `a text has ${text.length} UTF-16 units; at most ${shortTextLengthMax} are taken`, { length: text.length });
    }
    return tokenizer.encode(text.toWellFormed(), { add_special_tokens: hasSpecial }).ids;
  };
  return {
    encode: (text) => encode(text, true),
    encodePlain: (text) => encode(text, false),
    decode: (ids) => (ids.length === 0 ? '' : tokenizer.decode([...ids], { skip_special_tokens: true })),
    idOf: (token) => tokenizer.token_to_id(token),
  };
}

function opened(artefacts: TransformerArtefacts, file: object, config: object): Tokenizer {
  try {
    // Texts are cut and padded here, where it is known to what.
    return new Tokenizer({ ...file, truncation: null, padding: null }, config);
  } catch (error) {
    return refuseFile(artefacts, 'tokenizer.json', `the tokenizer cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
