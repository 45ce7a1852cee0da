/**
 * What the `config` of a task may say: in the configuration of a route step, in the manifest of a model as its defaults, and in a request. The
 * words are those of Hugging Face's generation settings, so that what is known of a model elsewhere can be used as it is. Whatever is not
 * said is the model's manifest's to say, then the program's.
 */
import { z } from 'zod';
import { taskError } from './errors/task.ts';

const newTokensMax = z.int().min(1).max(512).describe('The most tokens that are written.');

const captioning = z.strictObject({
  max_new_tokens: newTokensMax.optional(),
  num_beams: z.int().min(1).max(16).describe('Texts that are followed side by side; 1 takes the most probable token each time.').optional(),
  length_penalty: z.number().min(-10).max(10).describe('With beams: above 0 prefers longer texts, below shorter ones.').optional(),
  early_stopping: z.boolean().describe('With beams: stop as soon as there are as many whole texts as beams.').optional(),
});

const speech = z.strictObject({
  language: z.string().regex(/^[a-z]{2,3}$/, 'a language code such as en').describe('Of what is spoken; without it the model decides.').optional(),
  task: z.enum(['transcribe', 'translate']).describe('Whether the text stays in its language or is put into English.').optional(),
  return_timestamps: z.boolean().describe('Whether the segments with their times are told; what is longer than one window has them anyway.').optional(),
  max_new_tokens: newTokensMax.describe('The most tokens of one window.').optional(),
});

const zeroShot = z.strictObject({
  hypothesis_template: z
    .string()
    .max(500)
    .refine((text) => text.includes('{}'), 'must hold {} where the class stands')
    .describe('The sentence that stands for a class.')
    .optional(),
});

const detection = z.strictObject({
  threshold: z.number().min(0).max(1).describe('Boxes are told whose score is above this.').optional(),
  nms_threshold: z.number().min(0).max(1).describe('Of two boxes of one label whose intersection over union is above this, only the surer one is told.').optional(),
  top_k: z.int().min(1).max(1_000).describe('The most boxes that are told, the surest ones.').optional(),
});

const schemas = {
  'image-captioning': captioning,
  'conditional-image-captioning': captioning,
  'automated-speech-recognition': speech,
  'zero-shot-image-classification': zeroShot,
  'object-detection': detection,
} as const;

/** Made once: zod compiles a schema at its first use, which takes longer than all else that a small request does. */
const nothing = z.strictObject({});

export type ConfiguredTask = keyof typeof schemas;

export type CaptioningConfig = z.infer<typeof captioning>;
export type SpeechConfig = z.infer<typeof speech>;
export type ZeroShotConfig = z.infer<typeof zeroShot>;
export type DetectionConfig = z.infer<typeof detection>;

/** What is said of a task, checked. */
export type TaskConfig = CaptioningConfig & SpeechConfig & ZeroShotConfig & DetectionConfig;

function isConfigured(task: string): task is ConfiguredTask {
  return Object.hasOwn(schemas, task);
}

const speechTask = 'automated-speech-recognition';
/** Of the pipeline of transformers. */
const overlappingKeys = ['chunk_length_s', 'stride_length_s'];
const overlappingRefused = ' (overlapping windows are not offered: what is long is read window after window without it)';

function isOfOverlapping(issue: z.core.$ZodIssue): boolean {
  return issue.code === 'unrecognized_keys' && issue.keys.some((key) => overlappingKeys.includes(key));
}

/** One sentence for every mistake; none where the task takes the config as it is. */
export function taskConfigMistakes(task: string, config: unknown): readonly string[] {
  const parsed = (isConfigured(task) ? schemas[task] : nothing).safeParse(config);
  return parsed.success ? [] : parsed.error.issues.map((issue) => `${['config', ...issue.path].join('.')}: ${issue.message}${task === speechTask && isOfOverlapping(issue) ? overlappingRefused : ''}`);
}

/** Throws LS_TASK_CONFIG, whose message lists every mistake. */
export function parseTaskConfig(task: string, config: unknown, mistakesOf = (given: Readonly<Record<string, unknown>>): readonly string[] => taskConfigMistakes(task, given)): TaskConfig {
  const mistakes = typeof config === 'object' && config !== null ? mistakesOf(config as Readonly<Record<string, unknown>>) : taskConfigMistakes(task, config);
  if (mistakes.length === 0) return config as TaskConfig;
  const shown = mistakes.slice(0, 10).map((mistake) => mistake.slice(0, 300));
  throw taskError('LS_TASK_CONFIG', `${task}: ${shown.join('; ')}`, { task, mistakes: mistakes.length });
}
