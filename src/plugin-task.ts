/** A task of a plugin as the program runs it: what it gives is checked before it becomes an event, which nobody could write otherwise. */
import { z } from 'zod';
import { pluginError } from './core/errors/plugin.ts';
import type { Task, TaskResult } from './tasks/task.ts';

/** UTF-8 has no half of a pair. */
const text = z.string().refine((value) => value.isWellFormed(), 'must be well-formed: it has half of a surrogate pair');
const scored = z.strictObject({ label: text, score: z.number() });
const time = z.number().min(0);

/** As `result` of a label event, but for assignments, which are CLUSTER's. */
const labelResults = z.union([
  z.strictObject({ 'labelstream.v1.Classification': z.strictObject({ labels: z.array(scored) }) }),
  z.strictObject({ 'labelstream.v1.Caption': z.strictObject({ text }) }),
  z.strictObject({ 'labelstream.v1.Transcript': z.strictObject({ text, segments: z.array(z.strictObject({ startSeconds: time, endSeconds: time, text })) }) }),
  z.strictObject({ 'labelstream.v1.ZeroShot': z.strictObject({ classes: z.array(text), probabilities: z.array(z.number()) }) }),
  z.strictObject({ 'labelstream.v1.Detection': z.strictObject({ boxes: z.array(z.array(z.number()).length(4)), labels: z.array(text), scores: z.array(z.number()) }) }),
  z.strictObject({ 'labelstream.v1.Prediction': z.strictObject({ label: text.nullable(), value: z.number().nullable(), probabilities: z.array(scored) }) }),
]);

const results = {
  label: z.strictObject({ kind: z.literal('label'), result: labelResults }),
  features: z.strictObject({ kind: z.literal('features'), vector: z.instanceof(Float32Array).refine((vector) => vector.length > 0 && vector.every(Number.isFinite), 'must have numbers, and finite ones') }),
} as const;

/** Throws LS_PLUGIN_ANSWER where the result is none: that is no fault of the event. */
export function checkedTask(task: Task, plugin: string): Task {
  return {
    ...task,
    input: (event, parameters) => task.input(event, parameters),
    output: (output, model, parameters): TaskResult => {
      const result = task.output(output, model, parameters);
      const parsed = results[task.produces].safeParse(result);
      if (parsed.success) return result;
      const mistakes = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'it'}: ${message}`);
      throw pluginError('LS_PLUGIN_ANSWER', `the task ${task.name} of the plugin ${plugin} gave no result of a ${task.produces} task: ${mistakes.join('; ')}`, { plugin, task: task.name });
    },
  };
}
