/** The tasks of the published description of the jobs API, what they are called here, and what they take and give there. */
import { z } from 'zod';
import type { FeatureBody } from './task-inputs.ts';

export type PublishedTask = {
  /** As its paths have it. */
  readonly name: string;
  /** What it is called here; a plugin may bring one that is not here. */
  readonly task: string;
  /** Beside `config`. */
  readonly single: z.ZodRawShape;
  readonly batched: z.ZodRawShape;
  readonly output: z.ZodType;
  readonly body: (given: Readonly<Record<string, unknown>>) => FeatureBody;
};

const many = z.array(z.string()).min(1).max(1_000);
const embedding = z.object({ embedding: z.array(z.number()) });
const caption = z.object({ caption: z.string() });
const same = (given: Readonly<Record<string, unknown>>): FeatureBody => given;
const ofImage = { single: { image: z.string() }, batched: { image: many }, body: same };
const ofAudio = { single: { audio: z.string() }, batched: { audio: many }, body: same };

/** As models that follow instructions have been trained to see a question (E5 of Wang et al., 2024). */
const instructed = (instruction: string, query: string): string => `Instruct: ${instruction}\nQuery: ${query}`;

export const publishedTasks: readonly PublishedTask[] = [
  { name: 'audio-diarization', task: 'audio-diarization', ...ofAudio, output: z.object({}) },
  {
    name: 'conditional-image-captioning', task: 'conditional-image-captioning', output: caption, body: same,
    single: { image: z.string(), text: z.string() }, batched: { image: many, text: many },
  },
  { name: 'face-embedding', task: 'face-embedding', ...ofImage, output: embedding },
  { name: 'image-captioning', task: 'image-captioning', ...ofImage, output: caption },
  { name: 'optical-character-recognition', task: 'optical-character-recognition', ...ofImage, output: z.object({ text: z.string() }) },
  { name: 'automated-speech-recognition', task: 'automated-speech-recognition', ...ofAudio, output: z.object({ transcript: z.string() }) },
  { name: 'image-embedding', task: 'image-features', ...ofImage, output: embedding },
  {
    name: 'object-detection', task: 'object-detection', ...ofImage,
    output: z.object({ labels: z.array(z.string()), boxes: z.array(z.array(z.int())), scores: z.array(z.number()) }),
  },
  { name: 'text-embedding', task: 'text-features', single: { text: z.string() }, batched: { text: many }, output: embedding, body: same },
  {
    name: 'zero-shot-image-classification', task: 'zero-shot-image-classification', output: z.object({ probabilities: z.array(z.number()) }), body: same,
    single: { image: z.string(), classes: z.array(z.string()).optional() }, batched: { image: many, classes: z.array(z.string()).optional() },
  },
  {
    name: 'text-query-embedding', task: 'text-features', output: embedding,
    single: { query: z.string(), instruction: z.string() }, batched: { query: many, instruction: z.string() },
    body: ({ query, instruction, config }) => {
      const ask = (one: unknown): string => instructed(String(instruction), String(one));
      return { text: Array.isArray(query) ? query.map(ask) : ask(query), config };
    },
  },
];
