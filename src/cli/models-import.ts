/** `models import`: the directory of a model from an ONNX file of a network for images, or from a directory in the layout of Hugging Face. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { cliError } from '../core/errors/cli.ts';
import { boxFormKinds, importTasks, transformerPoolings } from '../models/import-choices.ts';
import { imagePresets, type ImageSteps } from '../models/import-image-steps.ts';
import type { LabelGroup } from '../models/import-labels.ts';
import type { OnnxImport } from '../models/import-onnx.ts';
import type { WrittenModel } from '../models/manifest-writer.ts';
import type { Manifest } from '../models/manifest.ts';
import type { WriteOptions } from '../models/model-place.ts';
import { collected } from './collect.ts';
import { outputOf, type CommandLine } from './context.ts';
import { withExamples } from './help.ts';
import { asFailure, isDirectory } from './model-choice.ts';
import type { Output } from './output.ts';

type Three = [number, number, number];

/** As commander collects them. */
type ImportOptions = Omit<OnnxImport, 'file' | 'directory' | 'groups' | 'version' | 'knownInputs'> & {
  readonly to: string;
  readonly modelVersion?: string;
  readonly group: readonly LabelGroup[];
  readonly knownInput: readonly string[];
  readonly maxTokens?: number;
  readonly pooling?: (typeof transformerPoolings)[number];
  readonly graph: readonly (readonly [role: string, file: string])[];
  readonly similarity?: { readonly scale: number; readonly bias: number };
  readonly class: readonly string[];
  readonly force?: boolean;
  readonly json?: boolean;
};

export function addModelsImportCommand(models: Command, commandLine: CommandLine): void {
  const command = models
    .command('import')
    .argument('<file-or-directory>', 'an ONNX file of a network that reads images, or a directory in the layout of Hugging Face')
    .summary('make a model of an ONNX file or a directory')
    .description(
      'make the directory of a model: what an ONNX file reads and gives is read in it, what a text encoder needs in its config.json, tokenizer.json and modules.json. Of a transformer (ViT with GPT-2, BLIP, BLIP-2, Whisper, CLIP, SigLIP, OWL-ViT, DETR) config.json tells which one it is. The known answers are its own, and it must pass the proofs of `models verify`; nothing is written otherwise',
    )
    .requiredOption('--to <directory>', 'the directory to make')
    .option('--force', 'replace the directory of a model that is there')
    .option('--name <name>', 'name of the model; without it, made from that of the file')
    .option('--model-version <version>', 'version of the model', '1.0.0')
    .option('--licence <name>', 'licence of the model')
    .option('--source <text>', 'where the model comes from')
    .addOption(new Option('--task <task>', 'what the model is for; without it, detection with --boxes, classification where there are labels or groups').choices(importTasks))
    .option('--json', 'print one JSON object');
  addOutputOptions(command);
  addBoxOptions(command);
  addImageOptions(command);
  addTransformerOptions(command);
  addProofOptions(command);
  command.action(async (path: string, { to, modelVersion, group, knownInput, force, json, ...options }: ImportOptions) => {
    const output = outputOf(commandLine, json);
    const write = { force: force === true, signal: commandLine.signal };
    if (await isDirectory(path)) {
      await print(await importDirectory(command, path, { ...options, to, modelVersion, knownInput }, write).catch(asFailure), output);
      return;
    }
    refuseOthers(command, fileOptions, 'an ONNX file');
    const version = modelVersion === undefined ? {} : { version: modelVersion };
    const { importOnnx } = await import('../models/import-onnx.ts');
    await print(await importOnnx({ ...options, file: path, directory: to, groups: group, knownInputs: knownInput, ...version }, write).catch(asFailure), output);
  });
  withExamples(
    command,
    'labelstream models import shufflenet.onnx --to models/features --expose 611 --preset imagenet',
    'labelstream models import shufflenet.onnx --to models/pets --preset imagenet --activation softmax --group cat=281-285,dog=151-268',
    'labelstream models import squeezenet.onnx --to models/squeezenet --preset raw --colour-order BGR --labels imagenet.txt',
    'labelstream models import yolox_nano.onnx --to models/yolox --boxes grid-offsets --preset yolox --labels coco.txt',
    'labelstream models import all-MiniLM-L6-v2 --to models/minilm --licence Apache-2.0',
    'labelstream models import data/pulled/clip --to models/clip --licence MIT --similarity 100,0 --class cat --class dog',
  );
}

type DirectoryOptions = Omit<ImportOptions, 'group' | 'force' | 'json' | 'modelVersion'> & { readonly modelVersion: string | undefined };

async function importDirectory(command: Command, from: string, { to, modelVersion, graph, class: classes, knownInput, ...options }: DirectoryOptions, write: WriteOptions): Promise<WrittenModel<ImportedManifest>> {
  const { architectureIn, importArchitecture } = await import('../models/import-architecture.ts');
  const architecture = await architectureIn(from);
  const of = { ...options, from, directory: to, version: modelVersion };
  if (architecture === undefined) {
    refuseOthers(command, textEncoderOptions, 'a directory that holds a text encoder');
    const { importTransformer } = await import('../models/import-transformer.ts');
    return importTransformer(of, write);
  }
  refuseOthers(command, architectureOptions, `a model of the architecture ${architecture}`);
  return importArchitecture(architecture, { ...of, graphs: Object.fromEntries(graph), classes: classes.length === 0 ? undefined : classes, knownInputs: knownInput }, write);
}

function addOutputOptions(command: Command): void {
  command
    .option('--output <name>', 'the output that counts, where there are several')
    .option('--expose <tensor>', 'make an inner tensor the output')
    .addOption(new Option('--normalisation <kind>', 'of a vector').choices(['none', 'l2']))
    .option('--labels <file>', 'labels in the order of the classes: one per line, or JSON')
    .option('--group <label=first-last>', 'labels that stand for several classes, whose scores are added; with commas, or repeated', groupsOf, [])
    .addOption(new Option('--activation <kind>', 'what turns the output into scores').choices(['none', 'softmax', 'sigmoid']));
}

function addBoxOptions(command: Command): void {
  command
    .addOption(new Option('--boxes <form>', 'how a detector writes its boxes down: grid-offsets, as YOLOX; relative-corners, as UltraFace').choices(boxFormKinds))
    .option('--scores-output <name>', 'with relative-corners: the output with the scores, if it is not `scores`; --output is that with the boxes, if it is not `boxes`')
    .addOption(new Option('--strides <pixels>', 'with grid-offsets: from cell to cell, of each grid; 8,16,32 without it').argParser(wholeNumbers))
    .addOption(new Option('--score-min <number>', 'of a box: what is told has a higher score; 0.25 without it').argParser(number))
    .addOption(new Option('--overlap-max <share>', 'of two boxes of one label that share more of their union, the surer one is told; 0.45 without it').argParser(number))
    .addOption(new Option('--boxes-max <count>', 'the most boxes of an image; 100 without it').argParser(wholeNumber));
}

function addImageOptions(command: Command): void {
  const rules = ['cover', 'contain', 'stretch'] satisfies ImageSteps['resize']['rule'][];
  const kernels = ['nearest', 'linear', 'cubic', 'mitchell', 'lanczos2', 'lanczos3'] satisfies ImageSteps['resize']['kernel'][];
  command
    .addOption(new Option('--preset <name>', 'numbers that the model was trained on: those of ImageNet, 0 to 1, -1 to 1, 0 to 255; or all that YOLOX or UltraFace makes of an image').choices(Object.keys(imagePresets)))
    .addOption(new Option('--size <width>x<height>', 'where the model leaves it open').argParser(sizeOf))
    .addOption(new Option('--resize <rule>', 'cover: fill and cut the middle out (default); contain: fit, with a background beside; stretch').choices(rules))
    .addOption(new Option('--placement <place>', 'with contain: where the image stands; in the middle without it').choices(['middle', 'top-left']))
    .addOption(new Option('--shorter-side <pixels>', 'with cover: what the shorter side becomes before the middle is cut out').argParser(wholeNumber))
    .addOption(new Option('--kernel <kind>', 'of the resizing; linear without it').choices(kernels))
    .addOption(new Option('--background <r,g,b>', 'behind transparent pixels and beside a contained image; black without it').argParser(three))
    .addOption(new Option('--colour-order <order>', 'RGB without it').choices(['RGB', 'BGR']))
    .addOption(new Option('--scale <number>', 'each 0 to 255 is multiplied by it').argParser(number))
    .addOption(new Option('--mean <a,b,c>', 'then subtracted, in colour order').argParser(three))
    .addOption(new Option('--deviation <a,b,c>', 'then divided by, in colour order').argParser(three))
    .addOption(new Option('--layout <layout>', 'of the tensor, where its shape does not tell').choices(['NCHW', 'NHWC']));
}

function addTransformerOptions(command: Command): void {
  command
    .addOption(new Option('--max-tokens <count>', 'of a text encoder: where a text is cut; without it, what its files say, or 256').argParser(wholeNumber))
    .addOption(new Option('--pooling <kind>', 'of a text encoder; without it, what its files say, or mean').choices(transformerPoolings))
    .option('--graph <role=file>', 'of a transformer: the file of a graph, where it is not called as usual; may be repeated', graphOf, [])
    .addOption(new Option('--similarity <scale,bias>', 'of CLIP and SigLIP: how probabilities come of cosines; without it, what the joint graph onnx/model.onnx tells').argParser(similarityOf))
    .option('--class <name>', 'of a transformer that is given classes: one for the known answers; may be repeated', collected, []);
}

const commonOptions = ['to', 'force', 'name', 'modelVersion', 'licence', 'source', 'json'];
const textEncoderOptions = [...commonOptions, 'normalisation', 'maxTokens', 'pooling', 'batchSizes'];
const architectureOwn = ['graph', 'similarity', 'class'];
const architectureOptions = [...commonOptions, ...architectureOwn, 'knownInput'];
const fileOptions = { except: architectureOwn };

/** Better than to ignore what somebody asked for. Throws LS_CLI_USAGE. */
function refuseOthers(command: Command, allowed: readonly string[] | { readonly except: readonly string[] }, of: string): void {
  const given = command.options.filter((option) => command.getOptionValueSource(option.attributeName()) === 'cli');
  const isAllowed = (name: string): boolean => ('except' in allowed ? !allowed.except.includes(name) : allowed.includes(name));
  const other = given.find((option) => !isAllowed(option.attributeName()));
  if (other !== undefined) throw cliError('LS_CLI_USAGE', `${other.long ?? other.flags} means nothing to ${of}`);
}

function addProofOptions(command: Command): void {
  command
    .option('--known-input <image>', 'an image or a sound for the known answers, copied to the model; may be repeated; without it they are made up', (value: string, before: readonly string[]) => [...before, value], [])
    .addOption(new Option('--tolerance <share>', 'of the largest number of a known answer; without it 0.001, 0.01 for float16, 0.05 for quantised networks').argParser(number))
    .addOption(new Option('--batch-sizes <sizes>', 'batches in which an open batch is executed; without it 1,8, or 1 where results depend on the batch').argParser(wholeNumbers))
    .option('--dequantise', 'compute with float32 where weights are stored as integers');
}

type ImportedManifest = Exclude<Manifest, { kind: 'plugin' }>;

async function print({ directory, manifest, report, notes }: WrittenModel<ImportedManifest>, output: Output): Promise<void> {
  if (manifest.kind === 'transformers') {
    const { name, version, architecture, graphs, similarity, reproducible, knownAnswers } = manifest;
    const { tasksOf } = await import('../models/manifest.ts');
    const tasks = tasksOf(manifest);
    if (output.json) output.object({ directory, name, version, tasks, architecture, graphs, similarity, reproducible, knownAnswers: knownAnswers.length, checks: report.checks, notes });
    else {
      output.line(`${name} ${version}: ${tasks.join(', ')}; ${architecture} of ${Object.values(graphs).join(', ')}`);
      output.line(`written to ${directory}; it repeats its ${knownAnswers.length} known answers, and the result of an item does not depend on its batch`);
      for (const note of notes) output.note(`note: ${note}`);
    }
    return;
  }
  const { name, version, task, opset, preprocessing, postprocessing, executedShapes, reproducible, knownAnswers, labels } = manifest;
  if (output.json) {
    output.object({ directory, name, version, task, opset, preprocessing, postprocessing, labels, executedShapes, reproducible, knownAnswers: knownAnswers.length, checks: report.checks, notes });
    return;
  }
  output.line(`${name} ${version}: ${task}, ${await givenBy(manifest)}, opset ${opset}, in batches of ${executedShapes.batchSizes.join(', ')}`);
  output.line(`written to ${directory}; ${reproducible ? 'the result of an item does not depend on its batch' : 'NOT reproducible'}`);
  for (const note of notes) output.note(`note: ${note}`);
}

async function givenBy({ postprocessing: after, labels }: WrittenModel['manifest']): Promise<string> {
  const { outputNames } = await import('../models/boxes/box-form.ts');
  if (after.kind === 'boxes') return `boxes of ${labels.length} ${labels.length === 1 ? 'label' : 'labels'} from ${outputNames(after.form).join(', ')}`;
  return `${after.kind === 'vector' ? `a vector of ${after.dimensions} numbers` : `scores of ${labels.length} labels`} from ${after.output}`;
}

function groupsOf(value: string, before: readonly LabelGroup[]): LabelGroup[] {
  const groups = value.split(',').map((part) => {
    const [, label = '', first = '', last] = /^\s*([^=]+?)\s*=\s*(\d+)(?:\s*-\s*(\d+))?\s*$/.exec(part) ?? [];
    const group = { label, first: Number(first), last: Number(last ?? first) };
    if (label === '' || group.last < group.first || group.last > 1e6) throw new InvalidArgumentError('Write it as label=first-last, such as cat=281-285.');
    return group;
  });
  return [...before, ...groups];
}

function graphOf(value: string, before: readonly (readonly [string, string])[]): (readonly [string, string])[] {
  const [, role, file] = /^([a-z]+)=(.+)$/.exec(value) ?? [];
  if (role === undefined || file === undefined) throw new InvalidArgumentError('Write it as role=file, such as decoder=onnx/decoder_model_merged_quantized.onnx.');
  return [...before, [role, file]];
}

function similarityOf(value: string): { scale: number; bias: number } {
  const [scale, bias = 0, ...more] = value.split(',').map(number);
  if (scale === undefined || scale <= 0 || more.length > 0) throw new InvalidArgumentError('Write it as SCALE,BIAS, such as 100,0.');
  return { scale, bias };
}

function sizeOf(value: string): { width: number; height: number } {
  const [, width, height] = /^(\d+)x(\d+)$/.exec(value) ?? [];
  if (width === undefined || height === undefined) throw new InvalidArgumentError('Write it as WIDTHxHEIGHT, such as 224x224.');
  return { width: Number(width), height: Number(height) };
}

function number(value: string): number {
  const parsed = value.trim() === '' ? Number.NaN : Number(value);
  if (!Number.isFinite(parsed)) throw new InvalidArgumentError('It is no number.');
  return parsed;
}

function wholeNumber(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError('It is no whole number.');
  return Number(value);
}

function wholeNumbers(value: string): number[] {
  return value.split(',').map((part) => wholeNumber(part.trim()));
}

function three(value: string): Three {
  const [first, second, third, ...more] = value.split(',').map(number);
  if (first === undefined || second === undefined || third === undefined || more.length > 0) throw new InvalidArgumentError('Write three numbers with commas.');
  return [first, second, third];
}
