/** What all captioning models have in common: how a text is searched for, and what of it is the answer. */
import type { CaptioningConfig } from '../../core/task-config.ts';
import { modelError } from '../../core/errors/model.ts';
import type { ModelAnswer, ModelInput } from '../model-port.ts';
import { beamSearch } from './generation/beam-search.ts';
import type { Decoder } from './generation/decoder.ts';
import { greedySearch } from './generation/greedy-search.ts';
import type { TextTokenizer } from './text-tokenizer.ts';

export type CaptionRequest = { readonly prompt: readonly number[]; readonly endIds: ReadonlySet<number>; readonly config: CaptioningConfig };

const newTokensMaxDefault = 50;

/** The answer is what is new: neither the prefix nor special tokens. Rejects with LS_MODEL_INPUT where the prefix leaves no room. */
export async function caption<State>(decoder: Decoder<State>, tokenizer: TextTokenizer, { prompt, endIds, config }: CaptionRequest): Promise<ModelAnswer> {
  const room = decoder.lengthMax - prompt.length;
  if (room < 1) {
    throw modelError('LS_MODEL_INPUT', `the prefix takes ${prompt.length} tokens; the model writes texts of at most ${decoder.lengthMax}`, { field: 'text', tokens: prompt.length });
  }
  const newTokensMax = Math.min(room, config.max_new_tokens ?? newTokensMaxDefault);
  const beamCount = config.num_beams ?? 1;
  const tokens =
    beamCount === 1
      ? await greedySearch(decoder, prompt, { newTokensMax, endIds })
      : (await beamSearch(decoder, prompt, { newTokensMax, endIds, beamCount, lengthPenalty: config.length_penalty ?? 1, earlyStopping: config.early_stopping ?? false }))[0]?.tokens;
  const end = tokens?.findIndex((token) => endIds.has(token)) ?? -1;
  return { kind: 'caption', text: tokenizer.decode(end < 0 ? (tokens ?? []) : (tokens ?? []).slice(0, end)).trim() };
}

/** Throws LS_MODEL_INPUT, or LS_MODEL_REQUEST. */
export function imageQuestion(input: ModelInput): Extract<ModelInput, { kind: 'image' }> {
  if (input.kind !== 'image') throw modelError('LS_MODEL_INPUT', `this model reads images, not ${input.kind}`);
  if (input.classes !== undefined) throw modelError('LS_MODEL_REQUEST', 'this model writes captions and takes no classes');
  return input;
}
