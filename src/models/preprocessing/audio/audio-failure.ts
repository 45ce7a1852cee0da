/**
 * What a failure on a sound says, and of whom. What is wrong with a file is found by own code, or reported by a decoder as an error of its own; a decoder
 * that fails otherwise, by a trap of WebAssembly for example, may do so because of the item or of itself: failure-blame.ts finds that out.
 */
import { LabelstreamError } from '../../../core/errors/error.ts';
import { audioError } from '../../../core/errors/audio.ts';

/** V8's and Emscripten's words. */
const lack = /out of memory|could not allocate memory|allocation failed|invalid (typed )?array length/i;

export function audioFailure(error: unknown): LabelstreamError {
  if (error instanceof LabelstreamError) return error;
  const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) };
  if (lack.test(message)) return audioError('LS_AUDIO_RESOURCES', `there was not enough memory to decode the sound: ${message}`, {}, { cause: error });
  return audioError('LS_AUDIO_DECODER', `the decoder failed on the sound: ${name}: ${message}`, {}, { cause: error });
}
