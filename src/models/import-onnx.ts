/**
 * `models import FILE.onnx`: a directory with a manifest, from an ONNX file of a network for images. What can be read in the file is read (ports, sizes,
 * a fixed batch, opset), what the options say is checked against it, and what the model gives is asked of the model itself.
 */
import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve, sep } from 'node:path';
import { modelError } from '../core/errors/model.ts';
import { imageSteps, isFixed, shapeText, type ImageStepOptions, type ImageSteps } from './import-image-steps.ts';
import { cornersAndScores, detectorOf, refuseBoxOptions, type BoxOptions, type FoundOutput } from './import-boxes.ts';
import { boxFormKinds, type importTasks } from './import-choices.ts';
import { groupMembers, readLabels, type LabelGroup } from './import-labels.ts';
import { knownBoxNotes } from './known-boxes.ts';
import { knownImages } from './known-images.ts';
import { writeModelDirectory, type ModelDraft, type WrittenModel } from './manifest-writer.ts';
import type { DraftFile, WriteOptions } from './model-place.ts';
import { vectorDimensionsMax, type GraphManifest } from './manifest.ts';
import { exposed, onnxGraph, type ExposedType, type OnnxGraph, type OnnxPort } from './onnx-graph.ts';
import { openProbe, type OnnxSource } from './onnx-probe.ts';
import { onnxStructure } from './onnx-structure.ts';

export type OnnxImport = ImageStepOptions & BoxOptions & {
  readonly file: string;
  readonly directory: string;
  readonly name?: string;
  readonly version?: string;
  /** Without it: detection where the form of boxes is said, classification where there are labels or groups. */
  readonly task?: (typeof importTasks)[number];
  /** An inner tensor that becomes the output. */
  readonly expose?: string;
  readonly output?: string;
  readonly labels?: string;
  readonly groups?: readonly LabelGroup[];
  readonly activation?: 'none' | 'softmax' | 'sigmoid';
  readonly normalisation?: 'none' | 'l2';
  readonly licence?: string;
  readonly source?: string;
  readonly dequantise?: boolean;
  readonly knownInputs?: readonly string[];
  /** Share of the largest magnitude in an answer. */
  readonly tolerance?: number;
  readonly batchSizes?: readonly number[];
};

const modelFile = 'model.onnx';
const batchSizesOfAnOpenBatch = [1, 8];
const quantising = /^(QLinear|QuantizeLinear|DequantizeLinear|DynamicQuantizeLinear|ConvInteger|MatMulInteger)/;

/** Rejects with LS_MODEL_IMPORT, LS_MODEL_LOAD (onnxruntime does not take it), LS_MODEL_EXTERNAL_DATA or LS_MODEL_MANIFEST; nothing is written then. */
export async function importOnnx(options: OnnxImport, writing: WriteOptions = {}): Promise<WrittenModel> {
  const source = await readSource(options);
  const draft = await draftOf(source, await portsOf(source, options), options);
  const written = await writeModelDirectory(options.directory, draft, writing);
  return { ...written, notes: [...written.notes, ...scoreNotes(written.manifest), ...knownBoxNotes(written.manifest.knownAnswers.map(({ output }) => output)), ...(options.task === undefined ? taskNotes(written.manifest) : [])] };
}

type Ports = {
  readonly preprocessing: ImageSteps;
  readonly type: 'float32' | 'float16';
  /** Boxes may be in two. */
  readonly outputs: readonly [ProbedOutput, ...ProbedOutput[]];
  readonly batchSizes: readonly number[];
  readonly isBatchFixed: boolean;
};

type ProbedOutput = FoundOutput & { readonly type: ExposedType };

/** What goes in and comes out. The model is loaded first: where it cannot be, nothing else counts. */
async function portsOf({ model, graph }: Source, options: OnnxImport): Promise<Ports> {
  const { file } = model;
  const probe = await openProbe(model);
  try {
    const input = inputOf(graph, file);
    const preprocessing = imageSteps(file, input, options);
    const { name, type, shape } = input;
    if (type !== 'float32' && type !== 'float16') throw importError(file, `the input ${name} is ${type ?? 'of an unknown type'}, neither float32 nor float16`);
    const [firstName, ...otherNames] = outputsOf(graph, options, file);
    const batch = shape?.[0];
    const batchSizes = isFixed(batch) ? [batch] : (options.batchSizes ?? batchSizesOfAnOpenBatch);
    if (isFixed(batch) && options.batchSizes !== undefined) throw importError(file, `it has a fixed batch of ${batch}: leave --batch-sizes out`);
    const { layout, width, height } = preprocessing;
    const dims = [batchSizes[0] ?? 1, ...(layout === 'NCHW' ? [3, height, width] : [height, width, 3])];
    const probed = async (output: string): Promise<ProbedOutput> => {
      const found = await probe.run({ name, type, dims }, output);
      const { type: elements } = found;
      if (elements !== 'float32' && elements !== 'float16') throw importError(file, `the output ${output} is ${elements}, neither float32 nor float16`);
      if (found.dims.length < 2 || found.dims[0] !== dims[0]) throw importError(file, `the output ${output} is ${shapeText(found.dims)}: it has no row for each image`);
      const ofImage = found.dims.slice(1);
      return { name: output, dims: ofImage, type: { type: elements, shape: [isFixed(batch) ? batch : undefined, ...ofImage] } };
    };
    const outputs: [ProbedOutput, ...ProbedOutput[]] = [await probed(firstName)];
    for (const other of otherNames) outputs.push(await probed(other));
    return { preprocessing, type, outputs, batchSizes, isBatchFixed: isFixed(batch) };
  } finally {
    await probe.close();
  }
}

async function draftOf({ model, original, graph, externalFiles }: Source, ports: Ports, options: OnnxImport): Promise<ModelDraft> {
  const known = await knownImages(options.knownInputs ?? []);
  const [output] = ports.outputs;
  const bytes = model.bytes === original ? original : exposed(original, output.name, output.type);
  return {
    manifest: {
      name: options.name ?? nameFrom(options.file),
      version: options.version ?? '1.0.0',
      licence: options.licence ?? 'not stated',
      source: options.source ?? basename(options.file),
      model: modelFile,
      opset: model.opset,
      dequantise: model.dequantise,
      preprocessing: ports.preprocessing,
      ...(await resultsOf(options, ports, model.file)),
      executedShapes: { batchSizes: [...ports.batchSizes] },
      quality: {},
    },
    files: [{ path: modelFile, content: { bytes } }, ...externalFiles, ...known.files],
    knownInputs: known.inputs,
    toleranceShare: options.tolerance ?? toleranceShareOf(graph, ports.type),
    keepsBatchSizes: options.batchSizes !== undefined || ports.isBatchFixed,
  };
}

type Source = { readonly model: OnnxSource; /** Without what is exposed. */ readonly original: Uint8Array; readonly graph: OnnxGraph; readonly externalFiles: readonly DraftFile[] };

/** The file, with the inner tensor exposed that the options name. */
async function readSource({ file, expose, dequantise = false }: OnnxImport): Promise<Source> {
  let original: Uint8Array;
  try {
    original = await readFile(file);
  } catch (error) {
    throw modelError('LS_MODEL_IMPORT', `${file} cannot be read: ${messageOf(error)}`, { file }, { cause: error });
  }
  const { graph, externalLocations, opset } = parsed(file, original);
  let bytes = original;
  if (expose !== undefined && !graph.outputs.some(({ name }) => name === expose)) {
    if (!graph.tensors.includes(expose)) throw importError(file, `no node computes a tensor ${JSON.stringify(expose)}; ${nearNames(expose, graph.tensors)}`);
    bytes = exposed(original, expose);
  }
  const externalData = [];
  for (const path of externalLocations) externalData.push({ path, bytes: await readExternal(file, path) });
  return {
    model: { file, bytes, opset, dequantise, externalData },
    original,
    graph,
    externalFiles: externalData.map(({ path, bytes: content }) => ({ path, content: { bytes: content } })),
  };
}

function parsed(file: string, bytes: Uint8Array): { graph: OnnxGraph; externalLocations: readonly string[]; opset: number } {
  try {
    const graph = onnxGraph(bytes);
    if (graph.outputs.length === 0) throw new RangeError('it has no graph with an output');
    return { graph, ...onnxStructure(bytes) };
  } catch (error) {
    throw modelError('LS_MODEL_IMPORT', `${file} is no ONNX file: ${messageOf(error)}`, { file }, { cause: error });
  }
}

/** Weights beside the model are taken along; what lies elsewhere is not the model's. */
async function readExternal(file: string, location: string): Promise<Uint8Array> {
  const taken = [modelFile, 'manifest.json'];
  if (taken.includes(location)) throw modelError('LS_MODEL_EXTERNAL_DATA', `${file} keeps weights in ${location}, a name that the import needs itself`, { file, location });
  try {
    const root = await realpath(dirname(file));
    const target = await realpath(join(root, location));
    if (target.startsWith(root.endsWith(sep) ? root : root + sep)) return await readFile(target);
  } catch (error) {
    const message = `${file} keeps weights in ${JSON.stringify(location)}, which cannot be read: ${messageOf(error)}`;
    throw modelError('LS_MODEL_EXTERNAL_DATA', message, { file, location }, { cause: error });
  }
  throw modelError('LS_MODEL_EXTERNAL_DATA', `${file} keeps weights in ${JSON.stringify(location)}, outside of its own directory`, { file, location });
}

function inputOf({ inputs }: OnnxGraph, file: string): OnnxPort {
  const [input] = inputs;
  if (input === undefined || inputs.length > 1) {
    const found = inputs.map(({ name, type, shape }) => `${name} ${type ?? ''}${shapeText(shape)}`).join(', ');
    throw importError(file, `it has ${inputs.length} inputs${found === '' ? '' : ` (${found})`}; only networks that read one image can be imported`);
  }
  return input;
}

function outputsOf(graph: OnnxGraph, options: OnnxImport, file: string): readonly [string, ...string[]] {
  refuseBoxOptions(options, file);
  if (options.boxes !== 'relative-corners') return [outputOf(graph, options, file)];
  if (options.expose !== undefined) throw importError(file, `--expose makes one output, and --boxes ${options.boxes} needs two`);
  return cornersAndScores(graph.outputs.map(({ name }) => name), options, file);
}

function outputOf({ outputs, tensors }: OnnxGraph, { expose, output }: OnnxImport, file: string): string {
  if (expose !== undefined) {
    if (output === undefined || output === expose) return expose;
    throw importError(file, `--expose ${expose} and --output ${output} name two outputs; a model has one`);
  }
  const names = outputs.map(({ name }) => name);
  if (output === undefined) {
    const [only = ''] = names;
    if (names.length === 1) return only;
    throw importError(file, `it has the outputs ${names.join(', ')}: say with --output which one counts`);
  }
  if (names.includes(output)) return output;
  const inner = tensors.includes(output) ? `; --expose ${output} makes that inner tensor one` : '';
  throw importError(file, `it has no output ${JSON.stringify(output)}, but ${names.join(', ')}${inner}`);
}

type Results = Pick<GraphManifest, 'task' | 'postprocessing' | 'labels'>;

async function resultsOf(options: OnnxImport, { outputs, preprocessing }: Ports, file: string): Promise<Results> {
  const { groups = [], labels: labelsFile, activation, normalisation, boxes } = options;
  const task = options.task ?? (boxes !== undefined ? 'object-detection' : labelsFile !== undefined || groups.length > 0 ? 'image-classification' : 'image-features');
  if (task === 'object-detection') {
    if (boxes === undefined) throw importError(file, `how it writes boxes down cannot be seen in it: say --boxes ${boxFormKinds.join('|')}`);
    if (groups.length > 0 || activation !== undefined || normalisation !== undefined) throw importError(file, '--group, --activation and --normalisation mean nothing to the task object-detection');
    return detectorOf({ ...options, boxes }, outputs, preprocessing, file);
  }
  if (boxes !== undefined) throw importError(file, '--boxes goes with the task object-detection');
  const [{ name: output, dims }] = outputs;
  const width = dims.reduce((product, dimension) => product * dimension, 1);
  if (task === 'image-features') {
    if (labelsFile !== undefined || groups.length > 0 || activation !== undefined) throw importError(file, '--labels, --group and --activation go with the task image-classification');
    if (width > vectorDimensionsMax) throw importError(file, `the output ${output} has ${width} numbers for an image; a vector has at most ${vectorDimensionsMax}`);
    return { task, labels: [], postprocessing: { kind: 'vector', output, dimensions: width, pooling: 'none', normalisation: normalisation ?? 'none' } };
  }
  if (normalisation !== undefined) throw importError(file, '--normalisation goes with the task image-features');
  const scores = { kind: 'scores', output, activation: activation ?? 'none' } as const;
  if (groups.length > 0) {
    if (labelsFile !== undefined) throw importError(file, '--group names the labels itself: leave --labels out');
    const { labels, members } = groupMembers(groups, width);
    return { task, labels, postprocessing: { ...scores, groups: { classes: width, members } } };
  }
  if (labelsFile === undefined) throw importError(file, `the ${width} classes of ${output} need names: --labels FILE, or --group LABEL=FIRST-LAST`);
  const labels = await readLabels(labelsFile);
  if (labels.length !== width) throw importError(file, `${labelsFile} has ${labels.length} labels; the output ${output} has ${width} classes`);
  return { task, labels: [...labels], postprocessing: scores };
}

/** Other processors add in other orders, and decode JPEG with other roundings. */
function toleranceShareOf({ operators }: OnnxGraph, inputType: string): number {
  if ([...operators].some((operator) => quantising.test(operator))) return 0.05;
  return inputType === 'float16' ? 0.01 : 0.001;
}

function scoreNotes({ postprocessing, knownAnswers }: GraphManifest): string[] {
  if (postprocessing.kind !== 'scores' || postprocessing.activation !== 'none') return [];
  const isProbable = rowsIn(knownAnswers).every((row) => isNowhereNegative(row) && sumOf(row) < 1.05);
  return isProbable ? [] : ['its scores are no probabilities: consider --activation softmax'];
}

/** What nobody called a classification may look like one: numbers that add up to 1 for every image. */
function taskNotes({ task, knownAnswers }: GraphManifest): string[] {
  if (task !== 'image-features') return [];
  const addsUp = rowsIn(knownAnswers).every((row) => row.length > 1 && isNowhereNegative(row) && Math.abs(sumOf(row) - 1) < 0.01);
  if (!addsUp) return [];
  return ['its numbers look like the probabilities of classes: for image-classification say with --labels or --group what they are called; --task image-features says that it is none'];
}

function rowsIn(answers: GraphManifest['knownAnswers']): readonly (readonly number[])[] {
  return answers.flatMap(({ output }) => ('kind' in output ? [] : [output]));
}

function isNowhereNegative(numbers: readonly number[]): boolean {
  return numbers.every((number) => number >= 0);
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Many models lie in a file of the name `model`, in a directory that says which. */
function nameFrom(file: string): string {
  const own = basename(file, extname(file));
  const name = (own.toLowerCase() === 'model' ? basename(dirname(resolve(file))) : own).toLowerCase().replace(/[^a-z0-9._-]+/g, '-').replace(/^[^a-z0-9]+/, '').slice(0, 100);
  return name === '' ? 'model' : name;
}

/** What somebody may have meant: the names that share most, by edit distance. */
function nearNames(wanted: string, names: readonly string[]): string {
  const near = names
    .map((name) => ({ name, distance: editDistance(wanted, name.slice(0, 200)) }))
    .sort((left, right) => left.distance - right.distance)
    .slice(0, 5);
  return near.length === 0 ? 'it computes none' : `near names are ${near.map(({ name }) => name).join(', ')}`;
}

/** Levenshtein 1966: insertions, deletions and replacements. */
function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let line = 1; line <= left.length; line += 1) {
    const next = [line];
    for (let column = 1; column <= right.length; column += 1) {
      const replaced = (row[column - 1] ?? 0) + (left[line - 1] === right[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

function importError(file: string, message: string): Error {
  return modelError('LS_MODEL_IMPORT', `${file}: ${message}`, { file });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
