/** What a plugin gave for an item, checked: it comes from code that nobody here has compiled. */
import { z } from 'zod';
import type { ItemOutcome } from '../inference.ts';
import type { PluginManifest } from './plugin-manifest.ts';

/** UTF-8 has no half of a pair. */
const text = z.string().refine((value) => value.isWellFormed(), 'must be well-formed: it has half of a surrogate pair');
const time = z.number().min(0);
const segment = z.object({ startSeconds: time, endSeconds: time, text }).refine(({ startSeconds, endSeconds }) => endSeconds >= startSeconds, 'must not end before it starts');

/** As ModelOutput. */
const outputSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('vector'), vector: z.instanceof(Float32Array) }),
  z.object({ kind: z.literal('scores'), scores: z.instanceof(Float32Array) }),
  z.object({ kind: z.literal('caption'), text }),
  z.object({ kind: z.literal('transcript'), text, segments: z.array(segment) }),
  z
    .object({ kind: z.literal('zero-shot'), classes: z.array(text), probabilities: z.array(z.number()) })
    .refine(({ classes, probabilities }) => classes.length === probabilities.length, 'must have one probability for each class'),
  z
    .object({ kind: z.literal('detections'), boxes: z.array(z.tuple([z.number(), z.number(), z.number(), z.number()])), labels: z.array(text), scores: z.array(z.number()) })
    .refine(({ boxes, labels, scores }) => boxes.length === labels.length && boxes.length === scores.length, 'must have one label and one score for each box'),
]);

/** The code is LS_PLUGIN_ANSWER where it is not what the manifest says. */
export function checkedAnswer(answer: unknown, { plugin, labels, dimensions }: PluginManifest): ItemOutcome {
  const refuse = (what: string): ItemOutcome => ({ failure: { code: 'LS_PLUGIN_ANSWER', message: `the plugin ${plugin} gave ${what}`, details: { plugin } } });
  const parsed = outputSchema.safeParse(answer);
  if (!parsed.success) return refuse(`no answer: ${parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'it'}: ${message}`).join('; ')}`);
  const output = parsed.data;
  if (output.kind !== 'vector' && output.kind !== 'scores') return dimensions + labels.length > 0 ? refuse(`a ${output.kind} instead of ${dimensions + labels.length} numbers`) : { answer: output };
  const [numbers, width] = output.kind === 'vector' ? [output.vector, dimensions] : [output.scores, labels.length];
  if (width === 0 || numbers.length !== width) return refuse(`a ${output.kind} of ${numbers.length} numbers; its manifest says ${width}`);
  const bad = numbers.findIndex((value) => !Number.isFinite(value));
  return bad < 0 ? { output: numbers } : { failure: { code: 'LS_MODEL_OUTPUT_NOT_FINITE', message: `number ${bad} of the output is ${numbers[bad] ?? ''}`, details: { index: bad } } };
}
