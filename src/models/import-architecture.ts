/**
 * From a directory of a transformer in the layout of Hugging Face to a directory of this program (`kind: transformers`): config.json tells the architecture,
 * the graphs are found by their usual names, and the known answers are the model's own, made by a first run and confirmed by the proofs of `models verify`.
 */
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { modelError } from '../core/errors/model.ts';
import { knownBoxes, knownBoxNotes, surestBoxesConfig } from './known-boxes.ts';
import { knownImages } from './known-images.ts';
import { knownSounds } from './known-sounds.ts';
import { failedChecks, knownOutcomes, writeManifest, type WrittenModel } from './manifest-writer.ts';
import { madeInPlace, type DraftFile, type ManifestFiles, type WriteOptions } from './model-place.ts';
import type { ModelAnswer } from './model-port.ts';
import { measuredSimilarity } from './joint-similarity.ts';
import { readJson, readIfThere, readNeeded, refuse, understood, weightsPath } from './transformer-source.ts';
import { architectures, type Architecture } from './transformers/architectures.ts';
import type { KnownTransformerAnswer, TransformerManifest } from './transformers/transformer-manifest.ts';
import { verifyModel } from './verify.ts';

export type ArchitectureImport = {
  readonly from: string;
  /** To be made. */
  readonly directory: string;
  readonly licence?: string | undefined;
  readonly source?: string | undefined;
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  /** Files by their roles, where they are not called as usual. */
  readonly graphs?: Readonly<Record<string, string>> | undefined;
  readonly similarity?: { readonly scale: number; readonly bias: number } | undefined;
  /** Of the known answers of a model that has none of its own. */
  readonly classes?: readonly string[] | undefined;
  readonly knownInputs?: readonly string[] | undefined;
};

const configFile = z.looseObject({
  model_type: z.string().default(''),
  encoder: z.looseObject({ model_type: z.string().default('') }).optional(),
  decoder: z.looseObject({ model_type: z.string().default('') }).optional(),
});

const modelTypes: Readonly<Record<string, Architecture>> = {
  'vision-encoder-decoder': 'vit-gpt2',
  blip: 'blip',
  'blip-2': 'blip2',
  whisper: 'whisper',
  clip: 'clip',
  siglip: 'siglip',
  owlvit: 'owlvit',
  detr: 'detr',
};

/** Undefined where it is none that consists of graphs in roles: a text encoder. Rejects with LS_MODEL_IMPORT. */
export async function architectureIn(directory: string): Promise<Architecture | undefined> {
  const { model_type: type, encoder, decoder } = await readJson(directory, 'config.json', configFile);
  const architecture = modelTypes[type];
  if (architecture !== 'vit-gpt2') return architecture;
  if (['vit', 'deit'].includes(encoder?.model_type ?? '') && decoder?.model_type === 'gpt2') return architecture;
  return refuse(join(directory, 'config.json'), `describes ${encoder?.model_type ?? '?'} with ${decoder?.model_type ?? '?'}, which is not built; ViT with GPT-2 is`);
}

/** Rejects, leaving nothing behind, with LS_MODEL_IMPORT and with the other LS_MODEL_* errors of a model that does not load. */
export async function importArchitecture(architecture: Architecture, options: ArchitectureImport, write: WriteOptions = {}): Promise<WrittenModel<TransformerManifest>> {
  const from = resolve(options.from);
  const source = await readSource(architecture, from, options.graphs ?? {});
  if (options.licence === undefined) refuse(from, 'does not tell its licence: name it (--licence NAME)');
  const similarity = await similarityOf(architecture, from, options);
  const known = await knownQuestions(architecture, options);
  const manifest = {
    kind: 'transformers',
    name: options.name ?? basename(from).toLowerCase().replaceAll(/[^a-z0-9._-]+/g, '-').replace(/^[^a-z0-9]+/, ''),
    version: options.version ?? '1.0.0',
    licence: options.licence,
    source: options.source ?? basename(from),
    architecture,
    graphs: source.graphs,
    defaults: {},
    ...(similarity === undefined ? {} : { similarity }),
    reproducible: true,
    quality: {},
  } satisfies Omit<TransformerManifest, 'files' | 'knownAnswers'>;
  const copied = source.files.map((path): DraftFile => ({ path, content: { copyOf: join(from, path) } }));
  const prove = async (beside: string, files: ManifestFiles): Promise<Proved> => proved(beside, { ...manifest, files }, known.inputs, source.tolerance, write.signal);
  const { target, proved: made, left } = await madeInPlace(options.directory, [...copied, ...known.files], write, prove);
  return { directory: target, ...made, report: { ...made.report, directory: target }, notes: [...made.notes, ...left] };
}

/** In `onnx/`, as optimum and transformers.js call them. */
const graphNames: Readonly<Record<string, readonly string[]>> = {
  encoder: ['encoder_model.onnx'],
  decoder: ['decoder_model_merged.onnx'],
  vision: ['vision_model.onnx', 'vision_encoder.onnx'],
  text: ['text_model.onnx'],
  embedding: ['embed_tokens.onnx'],
  model: ['model.onnx'],
};

/** Files that are copied where they are there. */
const optionalFiles = ['generation_config.json'];

type Source = { readonly graphs: Record<string, string>; readonly files: readonly string[]; /** Of a known score. */ readonly tolerance: number };

const quantising = /^(QLinear|QuantizeLinear|DequantizeLinear|DynamicQuantizeLinear|ConvInteger|MatMulInteger)/;

async function readSource(architecture: Architecture, directory: string, named: Readonly<Record<string, string>>): Promise<Source> {
  const traits = architectures[architecture];
  const foreign = Object.keys(named).find((role) => !traits.graphs.includes(role));
  if (foreign !== undefined) refuse(directory, `is of the architecture ${architecture}, whose graphs are ${traits.graphs.join(', ')}, not ${foreign}`);
  const graphs: Record<string, string> = {};
  const files = new Set<string>();
  let isQuantised = false;
  for (const role of traits.graphs) {
    const { path, bytes } = await graphOf(directory, architecture, role, named[role]);
    const { structure } = understood(join(directory, path), bytes);
    if ([...structure.operators].some((operator) => quantising.test(operator))) isQuantised = true;
    graphs[role] = path;
    files.add(path);
    for (const location of structure.externalLocations) files.add(await weightsPath(directory, path, location));
  }
  for (const path of traits.files) {
    await readNeeded(directory, path);
    files.add(path);
  }
  for (const path of optionalFiles) if ((await readIfThere(directory, path)) !== undefined) files.add(path);
  return { graphs, files: [...files], tolerance: isQuantised ? 0.02 : 0.001 };
}

async function graphOf(directory: string, architecture: Architecture, role: string, named: string | undefined): Promise<{ readonly path: string; readonly bytes: Uint8Array }> {
  const usual = (graphNames[role] ?? []).flatMap((name) => [`onnx/${name}`, name]);
  for (const path of named === undefined ? usual : [named]) {
    const bytes = await readIfThere(directory, path);
    if (bytes !== undefined) return { path, bytes };
  }
  const looked = named === undefined ? `neither ${usual.join(' nor ')}` : `no ${named}`;
  return refuse(directory, `holds ${looked}, for the graph ${role} of the architecture ${architecture}; --graph ${role}=FILE names another`);
}

async function similarityOf(architecture: Architecture, directory: string, { similarity }: ArchitectureImport): Promise<TransformerManifest['similarity']> {
  if (architecture !== 'clip' && architecture !== 'siglip') {
    return similarity === undefined ? undefined : refuse(directory, `is of the architecture ${architecture}, which compares nothing: leave --similarity out`);
  }
  if (similarity !== undefined) return similarity;
  const measured = await measuredSimilarity(directory, architecture);
  return measured ?? refuse(directory, 'does not tell how its probabilities come of cosines: say --similarity SCALE,BIAS (model.logit_scale.exp() and model.logit_bias in Python), or add the joint graph as onnx/model.onnx, in which it is measured');
}

type Question = KnownTransformerAnswer['input'];

const knownTokensMax = 16;
const knownClasses = ['a red disc', 'blue and green stripes', 'a dog'];

/** What the known answers answer. */
async function knownQuestions(architecture: Architecture, { knownInputs = [], classes, from }: ArchitectureImport): Promise<{ readonly files: readonly DraftFile[]; readonly inputs: readonly Question[] }> {
  const traits = architectures[architecture];
  if (classes !== undefined && traits.classes === 'none') refuse(from, `is of the architecture ${architecture}, which takes no classes: leave --class out`);
  if (traits.input === 'audio') {
    const { files, inputs } = await knownSounds(knownInputs);
    return { files, inputs: inputs.flatMap((input) => [{ ...input, config: { max_new_tokens: knownTokensMax } }, { ...input, config: { max_new_tokens: knownTokensMax, return_timestamps: true } }]) };
  }
  const { files, inputs } = await knownImages(knownInputs);
  const images = inputs.filter((input) => input.kind === 'image');
  if (traits.tasks[0] === 'image-captioning') {
    const config = { max_new_tokens: knownTokensMax };
    return { files, inputs: images.flatMap((input) => [{ ...input, config }, { ...input, text: 'a photo of', config }]) };
  }
  const asked = traits.classes === 'needed' ? { classes: [...(classes ?? knownClasses)] } : {};
  // Of a detector everything is asked for first: where to draw the line is decided by what it finds.
  const config = traits.tasks[0] === 'object-detection' ? surestBoxesConfig : {};
  return { files, inputs: images.map((input) => ({ ...input, ...asked, config })) };
}

type Proved = Pick<WrittenModel<TransformerManifest>, 'manifest' | 'report' | 'notes'>;

/** Rejects with LS_MODEL_IMPORT where the model does not repeat what it answered. */
async function proved(directory: string, draft: Omit<TransformerManifest, 'knownAnswers'>, inputs: readonly Question[], tolerance: number, signal: AbortSignal | undefined): Promise<Proved> {
  await writeManifest(directory, { ...draft, knownAnswers: inputs.map((input) => ({ input, output: emptyAnswer(draft.architecture), tolerance: 0 })) });
  const outcomes = await knownOutcomes(directory, 1, signal);
  const knownAnswers = outcomes.map((outcome, index): KnownTransformerAnswer => {
    const input = inputs[index];
    if (input === undefined || !('answer' in outcome)) return refuse(directory, 'gives rows of numbers');
    return knownAnswer(input, outcome.answer, tolerance);
  });
  const manifest = await writeManifest(directory, { ...draft, knownAnswers });
  const report = await verifyModel(directory, { signal });
  if (report.ok) return { manifest, report, notes: knownBoxNotes(knownAnswers.map(({ output }) => output)) };
  throw modelError('LS_MODEL_IMPORT', `the model ${draft.name} fails its own proofs: ${failedChecks(report)}`, { model: draft.name });
}

function emptyAnswer(architecture: Architecture): KnownTransformerAnswer['output'] {
  const empty: Readonly<Record<string, KnownTransformerAnswer['output']>> = {
    'automated-speech-recognition': { kind: 'transcript', text: '', segments: [] },
    'zero-shot-image-classification': { kind: 'zero-shot', probabilities: [0] },
    'object-detection': { kind: 'detections', boxes: [], labels: [], scores: [] },
  };
  return empty[architectures[architecture].tasks[0]] ?? { kind: 'caption', text: '' };
}

/** Times are told in steps of 20 ms. */
const timeTolerance = 0.01;

function knownAnswer(input: Question, answer: ModelAnswer, tolerance: number): KnownTransformerAnswer {
  switch (answer.kind) {
    case 'caption':
      return { input, output: { kind: 'caption', text: answer.text }, tolerance: 0 };
    case 'transcript':
      return { input, output: { kind: 'transcript', text: answer.text, segments: answer.segments.map((segment) => ({ ...segment })) }, tolerance: timeTolerance };
    case 'zero-shot':
      return { input, output: { kind: 'zero-shot', probabilities: [...answer.probabilities] }, tolerance };
    case 'detections': {
      const boxes = answer.boxes.map(([xmin, ymin, xmax, ymax]): [number, number, number, number] => [xmin, ymin, xmax, ymax]);
      const { threshold, output } = knownBoxes({ kind: 'detections', boxes, labels: [...answer.labels], scores: [...answer.scores] }, { tolerance });
      return { input: { ...input, config: { threshold } }, output, tolerance };
    }
  }
}
