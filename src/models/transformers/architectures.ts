/**
 * The architectures of Hugging Face that are run by own code around their ONNX exports. Each has graphs under fixed roles, as optimum and
 * transformers.js name the files (`onnx/encoder_model.onnx`, ...), and the JSON files of its published directory.
 */

type ArchitectureTraits = {
  readonly tasks: readonly [string, ...string[]];
  readonly input: 'image' | 'audio';
  /** Whether it has to be told what to tell apart, or to find. */
  readonly classes: 'needed' | 'none';
  readonly graphs: readonly string[];
  readonly files: readonly string[];
};

const captioningTasks = ['image-captioning', 'conditional-image-captioning'] as const;
const imageFiles = ['config.json', 'preprocessor_config.json'] as const;
const imageAndTextFiles = [...imageFiles, 'tokenizer.json', 'tokenizer_config.json'] as const;

export const architectureNames = ['vit-gpt2', 'blip', 'blip2', 'whisper', 'clip', 'siglip', 'owlvit', 'detr'] as const;

export type Architecture = (typeof architectureNames)[number];

export const architectures: Readonly<Record<Architecture, ArchitectureTraits>> = {
  'vit-gpt2': { tasks: captioningTasks, input: 'image', classes: 'none', graphs: ['encoder', 'decoder'], files: imageAndTextFiles },
  blip: { tasks: captioningTasks, input: 'image', classes: 'none', graphs: ['encoder', 'decoder'], files: imageAndTextFiles },
  blip2: { tasks: captioningTasks, input: 'image', classes: 'none', graphs: ['vision', 'embedding', 'decoder'], files: imageAndTextFiles },
  whisper: {
    tasks: ['automated-speech-recognition'],
    input: 'audio',
    classes: 'none',
    graphs: ['encoder', 'decoder'],
    files: [...imageAndTextFiles, 'generation_config.json'],
  },
  clip: { tasks: ['zero-shot-image-classification'], input: 'image', classes: 'needed', graphs: ['vision', 'text'], files: imageAndTextFiles },
  siglip: { tasks: ['zero-shot-image-classification'], input: 'image', classes: 'needed', graphs: ['vision', 'text'], files: imageAndTextFiles },
  owlvit: { tasks: ['object-detection'], input: 'image', classes: 'needed', graphs: ['model'], files: imageAndTextFiles },
  detr: { tasks: ['object-detection'], input: 'image', classes: 'none', graphs: ['model'], files: imageFiles },
};
