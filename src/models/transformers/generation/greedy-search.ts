/** The most probable token each time; the first of several that are equally so. */
import { logitsOfRow, type Decoder, type GenerationLimits } from './decoder.ts';

/** The new tokens, the one that ends the text among them. */
export async function greedySearch<State>(decoder: Decoder<State>, prompt: readonly number[], { newTokensMax, endIds, adjust }: GenerationLimits): Promise<number[]> {
  const tokens: number[] = [];
  let step = await decoder.prompt(prompt);
  for (;;) {
    const logits = logitsOfRow(step, 0);
    adjust?.(logits, tokens);
    const token = largestIndex(logits);
    tokens.push(token);
    if (endIds.has(token) || tokens.length >= newTokensMax) return tokens;
    step = await decoder.next(step.state, [token]);
  }
}

function largestIndex(numbers: Float32Array): number {
  let largest = 0;
  for (let index = 1; index < numbers.length; index += 1) {
    if ((numbers[index] ?? Number.NEGATIVE_INFINITY) > (numbers[largest] ?? Number.NEGATIVE_INFINITY)) largest = index;
  }
  return largest;
}
