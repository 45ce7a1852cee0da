/**
 * Whisper: reads spectrograms of 30 s and writes what is said in them. What is longer is read window after window, each beginning at the last
 * timestamp of the one before, as `generate` of transformers does it.
 */
import { z } from 'zod';
import type { SpeechConfig } from '../../core/task-config.ts';
import { modelError } from '../../core/errors/model.ts';
import type { ModelAnswer, TranscriptSegment } from '../model-port.ts';
import { audioLimits, decodeAudio, sampleRate } from '../preprocessing/audio/audio-decoder.ts';
import { logMelSpectrogram, type Spectrogram } from '../preprocessing/audio/log-mel.ts';
import type { OpenArchitecture } from './architecture-port.ts';
import { createCachedDecoder, type CachedDecoderGraph } from './generation/cached-decoder.ts';
import { logitsOfRow, type AdjustLogits } from './generation/decoder.ts';
import { greedySearch } from './generation/greedy-search.ts';
import { float32Tensor, numbersOf, requirePorts, type Graph } from './graph.ts';
import { publishedFile } from './published-files.ts';
import { createTextTokenizer, type TextTokenizer } from './text-tokenizer.ts';
import { allowTimestamps, readWindow, secondsPerTimestamp } from './whisper-timestamps.ts';

const tokenId = z.int().min(0);
const tokenIds = z.array(tokenId);

const configFile = z.looseObject({ num_mel_bins: z.int().min(1).max(512).default(80), max_target_positions: z.int().min(8).default(448) });
const preprocessorFile = z.looseObject({ sampling_rate: z.literal(sampleRate), n_fft: z.literal(400), hop_length: z.literal(160), chunk_length: z.literal(30) });

const generationFile = z.looseObject({
  decoder_start_token_id: tokenId,
  eos_token_id: tokenId,
  no_timestamps_token_id: tokenId,
  max_initial_timestamp_index: z.int().min(0).nullish(),
  /** Models that know English alone have neither. */
  lang_to_id: z.record(z.string(), tokenId).nullish(),
  task_to_id: z.record(z.string(), tokenId).nullish(),
  suppress_tokens: tokenIds.nullish(),
  begin_suppress_tokens: tokenIds.nullish(),
});

type Whisper = {
  readonly generation: z.output<typeof generationFile>;
  readonly encoder: Graph;
  readonly decoder: CachedDecoderGraph;
  readonly tokenizer: TextTokenizer;
};

const windowFrames = 3_000;
const windowSamples = 480_000;
const framesPerSecond = 100;

export const openWhisper: OpenArchitecture = async ({ artefacts, open }) => {
  const { directory, manifest } = artefacts;
  const { num_mel_bins: bandCount, max_target_positions: lengthMax } = publishedFile(artefacts, 'config.json', configFile);
  publishedFile(artefacts, 'preprocessor_config.json', preprocessorFile);
  const generation = publishedFile(artefacts, 'generation_config.json', generationFile);
  const tokenizer = createTextTokenizer(artefacts);
  const encoder = await open('encoder');
  requirePorts(encoder, { inputs: ['input_features'], outputs: ['last_hidden_state'] }, directory);
  const decoder = createCachedDecoder(await open('decoder'), lengthMax, directory);
  const whisper: Whisper = { generation, encoder, decoder, tokenizer };
  return async (input) => {
    if (input.kind !== 'audio') throw modelError('LS_MODEL_INPUT', `this model reads sound, not ${input.kind}`);
    const config: SpeechConfig = { ...manifest.defaults, ...input.config };
    requireKnown(generation, config);
    const samples = await decodeAudio(input.bytes, input.contentType, audioLimits);
    return async () => transcribe(whisper, logMelSpectrogram(filledUp(samples), bandCount), config);
  };
};

/** Throws LS_MODEL_REQUEST. */
function requireKnown({ lang_to_id: languages, task_to_id: tasks }: Whisper['generation'], { language, task }: SpeechConfig): void {
  if (language !== undefined && language !== 'en' && languages?.[`<|${language}|>`] === undefined) throw modelError('LS_MODEL_REQUEST', `this model does not know the language ${language}`);
  if (task === 'translate' && tasks?.[task] === undefined) throw modelError('LS_MODEL_REQUEST', 'this model does not translate');
}

/** A sound that is shorter than a window is read as one that is silent to its end. */
function filledUp(samples: Float32Array): Float32Array {
  if (samples.length >= windowSamples) return samples;
  const filled = new Float32Array(windowSamples);
  filled.set(samples);
  return filled;
}

async function transcribe(whisper: Whisper, spectrogram: Spectrogram, config: SpeechConfig): Promise<ModelAnswer> {
  const { generation, tokenizer } = whisper;
  const beginId = generation.no_timestamps_token_id + 1;
  const isStamped = config.return_timestamps === true || spectrogram.frameCount > windowFrames;
  const segments: TranscriptSegment[] = [];
  const written: number[] = [];
  const textOf = (tokens: readonly number[]): string => tokenizer.decode(tokens.filter((token) => token < beginId)).trim();
  let language: number | undefined;
  for (let seek = 0; seek < spectrogram.frameCount; ) {
    const frameCount = Math.min(windowFrames, spectrogram.frameCount - seek);
    const states = await encoded(whisper, spectrogram, seek);
    language ??= await languageOf(whisper, states, config);
    const tokens = await writtenIn(whisper, states, promptOf(generation, language, config, isStamped), isStamped, config);
    const reading = readWindow(tokens, frameCount, beginId);
    for (const { start, end, tokens: part } of reading.segments) {
      written.push(...part);
      const offset = seek / framesPerSecond;
      if (isStamped) segments.push({ startSeconds: offset + start * secondsPerTimestamp, endSeconds: offset + end * secondsPerTimestamp, text: textOf(part) });
    }
    // A segment that ends where it begins would be read for ever.
    seek += reading.frames > 0 ? reading.frames : frameCount;
  }
  return { kind: 'transcript', text: textOf(written), segments };
}

/** The window that begins at a frame; what is missing at the end is zero. */
async function encoded({ encoder }: Whisper, { values, bandCount, frameCount }: Spectrogram, seek: number): Promise<ReturnType<typeof float32Tensor>> {
  const features = new Float32Array(bandCount * windowFrames);
  for (let band = 0; band < bandCount; band += 1) {
    features.set(values.subarray(band * frameCount + seek, band * frameCount + Math.min(frameCount, seek + windowFrames)), band * windowFrames);
  }
  const { data, dims } = numbersOf(await encoder.run({ input_features: float32Tensor(features, [1, bandCount, windowFrames]) }), 'last_hidden_state');
  return float32Tensor(data, dims);
}

type States = Awaited<ReturnType<typeof encoded>>;

/** The one that is asked for; otherwise the likeliest at the beginning. Undefined where the model has no languages. */
async function languageOf({ generation, decoder }: Whisper, states: States, { language }: SpeechConfig): Promise<number | undefined> {
  const languages = generation.lang_to_id;
  if (languages === null || languages === undefined) return undefined;
  if (language !== undefined) return languages[`<|${language}|>`];
  const step = await decoder.decoderOf({ encoderStates: states }).prompt([generation.decoder_start_token_id]);
  const logits = logitsOfRow(step, 0);
  const likeliest = Object.values(languages).reduce((best, id) => ((logits[id] ?? 0) > (logits[best] ?? 0) ? id : best));
  return likeliest;
}

function promptOf({ decoder_start_token_id: start, task_to_id: tasks, no_timestamps_token_id: noTimestamps }: Whisper['generation'], language: number | undefined, { task = 'transcribe' }: SpeechConfig, isStamped: boolean): number[] {
  const taskId = language === undefined ? undefined : tasks?.[task];
  return [start, ...(language === undefined ? [] : [language]), ...(taskId === undefined ? [] : [taskId]), ...(isStamped ? [] : [noTimestamps])];
}

/** Without the end. */
async function writtenIn({ generation, decoder }: Whisper, states: States, prompt: readonly number[], isStamped: boolean, { max_new_tokens: asked }: SpeechConfig): Promise<number[]> {
  const { eos_token_id: endId, no_timestamps_token_id: noTimestampsId, suppress_tokens: never, begin_suppress_tokens: neverFirst, max_initial_timestamp_index: firstMax } = generation;
  const stamps = isStamped ? allowTimestamps({ beginId: noTimestampsId + 1, endId, noTimestampsId, firstMax: firstMax ?? undefined }) : undefined;
  const adjust: AdjustLogits = (logits, tokens) => {
    if (tokens.length === 0) for (const id of neverFirst ?? []) logits[id] = Number.NEGATIVE_INFINITY;
    for (const id of never ?? []) logits[id] = Number.NEGATIVE_INFINITY;
    stamps?.(logits, tokens);
  };
  const own = decoder.decoderOf({ encoderStates: states });
  const room = own.lengthMax - prompt.length;
  const tokens = await greedySearch(own, prompt, { newTokensMax: Math.min(room, asked ?? room), endIds: new Set([endId]), adjust });
  return tokens.at(-1) === endId ? tokens.slice(0, -1) : tokens;
}
