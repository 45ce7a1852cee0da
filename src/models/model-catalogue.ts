/**
 * Models to begin with: for each task a small one, and a stronger one where one is known. A fact stands here if it was checked: of what comes with the program
 * everything, of what others publish what could be read about it; what was measured was measured with this program, and "not measured" says that it was not.
 * Revisions are left to whoever pulls: the page of a repository names its commits.
 */

export type CatalogueEntry = {
  readonly tasks: readonly string[];
  readonly size: 'small' | 'strong';
  readonly model: CatalogueModel;
  /** What it did here, in one sentence; undefined: not measured. */
  readonly measured?: string;
};

type CatalogueModel =
  /** Its directory below `models/`, in which its licence, its size and how it was judged stand. */
  | { readonly kind: 'bundled'; readonly name: string }
  | {
      readonly kind: 'published';
      /** As its authors call it. */
      readonly repository: string;
      /** As it is told where it is published; undefined where that could not be checked. */
      readonly licence?: string;
      /** Told where it is published, such as its parameters. */
      readonly size?: string;
      /** What `models import` needs to know beside the directory. */
      readonly importOptions: readonly string[];
      /** How the graphs come about, where the repository of its authors has none. */
      readonly graphs: 'published' | 'exported';
    };

const captioning = ['image-captioning', 'conditional-image-captioning'] as const;

export const modelCatalogue: readonly CatalogueEntry[] = [
  {
    tasks: ['text-features'],
    size: 'small',
    model: { kind: 'bundled', name: 'static-text-encoder' },
    measured: 'cosines of banking77 correlate with those of all-MiniLM-L6-v2 by 0.881, of AG News by 0.688',
  },
  {
    tasks: ['text-features'],
    size: 'strong',
    model: { kind: 'published', repository: 'sentence-transformers/all-MiniLM-L6-v2', licence: 'Apache-2.0', graphs: 'published', importOptions: [] },
    measured: 'the same vectors as Python gives, in batches of any size (test/integration/minilm.test.ts)',
  },
  { tasks: ['text-classification'], size: 'small', model: { kind: 'bundled', name: 'topic-classifier' }, measured: '74.6 % of 7,600 texts of AG News right, none of which it was trained on' },
  { tasks: ['image-features'], size: 'small', model: { kind: 'bundled', name: 'visual-encoder' }, measured: 'nearest neighbour right for 90.8 % of drawings of 46 classes that it was not trained on, for 72 % of 29 photographs of cats and dogs' },
  {
    tasks: ['image-features', 'image-classification'],
    size: 'strong',
    model: {
      kind: 'published',
      repository: 'shufflenet-v2-12-int8.onnx of the ONNX model zoo',
      graphs: 'published',
      importOptions: ['--expose', '611', '--normalisation', 'l2', '--preset', 'imagenet', '--shorter-side', '224', '--kernel', 'lanczos3'],
    },
    measured: '29 photographs of cats and dogs: two pure clusters, 1 noise (cosine, eps 0.40, minPoints 3); all 29 right by its sums over cats and over dogs',
  },
  { tasks: ['image-classification'], size: 'small', model: { kind: 'bundled', name: 'drawing-classifier' }, measured: '99.8 % of 960 new drawings of its sixteen things right' },
  { tasks: ['record-prediction'], size: 'small', model: { kind: 'bundled', name: 'banknote-classifier' }, measured: 'all 1,372 banknotes right in 10-fold cross-validation' },
  { tasks: captioning, size: 'small', model: { kind: 'published', repository: 'nlpconnect/vit-gpt2-image-captioning', licence: 'Apache-2.0', graphs: 'exported', importOptions: [] } },
  { tasks: captioning, size: 'strong', model: { kind: 'published', repository: 'Salesforce/blip2-opt-2.7b', licence: 'MIT', size: 'a language model of 2.7 billion parameters', graphs: 'exported', importOptions: [] } },
  { tasks: ['automated-speech-recognition'], size: 'small', model: { kind: 'published', repository: 'openai/whisper-tiny', size: '39 million parameters', graphs: 'exported', importOptions: [] } },
  { tasks: ['automated-speech-recognition'], size: 'strong', model: { kind: 'published', repository: 'openai/whisper-small', size: '244 million parameters', graphs: 'exported', importOptions: [] } },
  { tasks: ['zero-shot-image-classification'], size: 'small', model: { kind: 'published', repository: 'openai/clip-vit-base-patch32', graphs: 'exported', importOptions: ['--similarity', '100,0'] } },
  { tasks: ['zero-shot-image-classification'], size: 'strong', model: { kind: 'published', repository: 'google/siglip-base-patch16-224', graphs: 'exported', importOptions: [] } },
  {
    tasks: ['object-detection'],
    size: 'small',
    model: { kind: 'published', repository: 'yolox_nano.onnx of YOLOX', licence: 'Apache-2.0', graphs: 'published', importOptions: ['--boxes', 'grid-offsets', '--preset', 'yolox', '--labels', 'coco_classes.txt'] },
    measured: '29 photographs of cats and dogs: the animal is found on all of them, and surest on all but one, a dog taken for a bear (test/integration/detection.test.ts)',
  },
  { tasks: ['object-detection'], size: 'strong', model: { kind: 'published', repository: 'facebook/detr-resnet-50', licence: 'Apache-2.0', graphs: 'exported', importOptions: [] } },
  { tasks: ['object-detection'], size: 'strong', model: { kind: 'published', repository: 'google/owlvit-base-patch32', graphs: 'exported', importOptions: ['--class', 'NAME'] } },
];
