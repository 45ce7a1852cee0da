/**
 * Where in a sound somebody speaks. Silero's network says of every 32 ms how probable it is; the rules of its published `get_speech_timestamps`, with
 * their published numbers, make segments of that:
 * - speech begins where the probability reaches 0.5, and ends where it falls below 0.35 and stays below 0.5 for 100 ms;
 * - what lasts 250 ms or less is no speech;
 * - every segment is widened by 30 ms to both sides; two that would meet share what lies between them.
 */

export type SpeechSegment = { readonly startSeconds: number; readonly endSeconds: number };

/** What one step of the network reads: its inputs `input` [1, 576], `state` [2, 1, 128] and `sr` (one number). */
export type SileroStep = { readonly input: Float32Array; readonly state: Float32Array; readonly sr: bigint };

/** What it gives: its outputs `output` [1, 1], the probability, and `stateN` [2, 1, 128]. */
export type SileroAnswer = { readonly output: Float32Array; readonly stateN: Float32Array };

export type RunSilero = (step: SileroStep) => Promise<SileroAnswer>;

const sampleRate = 16_000;
const chunkSamples = 512;
/** Of the chunk before, which the network reads once more. */
const contextSamples = 64;
const stateLength = 2 * 128;

const threshold = 0.5;
const endThreshold = threshold - 0.15;
const speechSamplesMin = 0.25 * sampleRate;
const silenceSamplesMin = 0.1 * sampleRate;
const paddingSamples = 0.03 * sampleRate;

/** @param samples one channel of 16,000 samples a second, from -1 to 1. Rejects as `run` does. */
export async function speechSegments(run: RunSilero, samples: Float32Array): Promise<SpeechSegment[]> {
  const spans = padded(speechSpans(await speechProbabilities(run, samples), samples.length), samples.length);
  return spans.map(({ start, end }) => ({ startSeconds: start / sampleRate, endSeconds: end / sampleRate }));
}

/** One for every 512 samples; the last ones are filled up with silence. */
export async function speechProbabilities(run: RunSilero, samples: Float32Array): Promise<number[]> {
  const probabilities: number[] = [];
  let state: Float32Array = new Float32Array(stateLength);
  for (let start = 0; start < samples.length; start += chunkSamples) {
    const input = new Float32Array(contextSamples + chunkSamples);
    const first = Math.max(0, start - contextSamples);
    input.set(samples.subarray(first, start + chunkSamples), contextSamples - (start - first));
    const { output, stateN } = await run({ input, state, sr: BigInt(sampleRate) });
    probabilities.push(output[0] ?? 0);
    state = stateN;
  }
  return probabilities;
}

/** In samples. */
export type SpeechSpan = { readonly start: number; readonly end: number };

export function speechSpans(probabilities: readonly number[], sampleCount: number): SpeechSpan[] {
  const spans: SpeechSpan[] = [];
  const keep = (start: number, end: number): void => {
    if (end - start > speechSamplesMin) spans.push({ start, end });
  };
  let start: number | undefined;
  /** Where silence began, if it is one. The published rules take a silence at 0 for none, which cannot be: speech comes first. */
  let silenceStart: number | undefined;
  for (const [index, probability] of probabilities.entries()) {
    const place = index * chunkSamples;
    if (probability >= threshold) {
      silenceStart = undefined;
      start ??= place;
    } else if (start !== undefined && probability < endThreshold) {
      silenceStart ??= place;
      if (place - silenceStart < silenceSamplesMin) continue;
      keep(start, silenceStart);
      start = silenceStart = undefined;
    }
  }
  if (start !== undefined) keep(start, sampleCount);
  return spans;
}

export function padded(spans: readonly SpeechSpan[], sampleCount: number): SpeechSpan[] {
  // To each side of a silence: all of the padding, or half of a short silence.
  const shares = spans.slice(1).map(({ start }, index) => {
    const silence = start - (spans[index]?.end ?? 0);
    return silence < 2 * paddingSamples ? Math.floor(silence / 2) : paddingSamples;
  });
  return spans.map(({ start, end }, index) => ({
    start: Math.max(0, start - (shares[index - 1] ?? paddingSamples)),
    end: Math.min(sampleCount, end + (shares[index] ?? paddingSamples)),
  }));
}
