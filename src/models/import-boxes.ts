/** What makes a detector of a graph that is imported: the form of its boxes, checked against what the graph gives, the names of its labels, and limits. */
import { modelError } from '../core/errors/model.ts';
import { gridCells, gridNumbersBeforeClasses, type BoxForm } from './boxes/box-form.ts';
import { boxFormKinds } from './import-choices.ts';
import type { ImageSteps } from './import-image-steps.ts';
import { readLabels } from './import-labels.ts';
import type { GraphManifest } from './manifest.ts';

export type BoxOptions = {
  /** How the graph writes boxes down. */
  readonly boxes?: BoxForm['kind'];
  /** With relative-corners: the output of the scores; that of the boxes is `output`. */
  readonly scoresOutput?: string;
  /** With grid-offsets: pixels from cell to cell, of each grid. */
  readonly strides?: readonly number[];
  /** What is said of these here holds where the config of a request says nothing. */
  readonly scoreMin?: number;
  readonly overlapMax?: number;
  readonly boxesMax?: number;
};

/** What a graph gave for one image, without the batch. */
export type FoundOutput = { readonly name: string; readonly dims: readonly number[] };

const cornersOutputDefault = 'boxes';
const scoresOutputDefault = 'scores';
const limitsDefault = { scoreMin: 0.25, overlapMax: 0.45, boxesMax: 100 };
const stridesDefault = [8, 16, 32];

/** The outputs with the boxes and their scores. Throws LS_MODEL_IMPORT. */
export function cornersAndScores(names: readonly string[], { output = cornersOutputDefault, scoresOutput = scoresOutputDefault }: BoxOptions & { readonly output?: string }, file: string): readonly [corners: string, scores: string] {
  const missing = [output, scoresOutput].find((name) => !names.includes(name));
  if (missing === undefined && output !== scoresOutput) return [output, scoresOutput];
  const mistake = missing === undefined ? `the boxes and their scores are both to be in ${output}` : `it has no output ${JSON.stringify(missing)}, but ${names.join(', ')}`;
  throw boxError(file, `${mistake}: say with --output where the boxes are, and with --scores-output their scores`);
}

/** Options that mean nothing without boxes. Throws LS_MODEL_IMPORT. */
export function refuseBoxOptions({ boxes, ...others }: BoxOptions, file: string): void {
  const flags: Readonly<Record<keyof typeof others, string>> = { scoresOutput: '--scores-output', strides: '--strides', scoreMin: '--score-min', overlapMax: '--overlap-max', boxesMax: '--boxes-max' };
  const meant = boxes === undefined ? Object.values(flags) : boxes === 'grid-offsets' ? [flags.scoresOutput] : [flags.strides];
  const given = Object.entries(flags).flatMap(([name, flag]) => (others[name as keyof typeof others] === undefined ? [] : [flag]));
  const other = given.find((flag) => meant.includes(flag));
  if (other === undefined) return;
  throw boxError(file, boxes === undefined ? `${other} goes with --boxes ${boxFormKinds.join('|')}` : `${other} means nothing to --boxes ${boxes}`);
}

type Detector = Pick<GraphManifest, 'task' | 'postprocessing' | 'labels'>;

/** Rejects with LS_MODEL_IMPORT where the outputs are not those of the form, on images of this size, with so many labels. */
export async function detectorOf(options: BoxOptions & { readonly labels?: string; readonly boxes: BoxForm['kind'] }, outputs: readonly FoundOutput[], steps: ImageSteps, file: string): Promise<Detector> {
  const { scoreMin = limitsDefault.scoreMin, overlapMax = limitsDefault.overlapMax, boxesMax = limitsDefault.boxesMax } = options;
  if (options.labels === undefined) throw boxError(file, 'what its boxes hold needs names: --labels FILE');
  const labels = await readLabels(options.labels);
  const form = formOf(options, outputs, steps, labels.length, file);
  return { task: 'object-detection', labels: [...labels], postprocessing: { kind: 'boxes', form, scoreMin, overlapMax, boxesMax } };
}

function formOf({ boxes, strides = stridesDefault }: BoxOptions, [first, second]: readonly FoundOutput[], { width, height }: ImageSteps, labels: number, file: string): BoxForm {
  const [name, dims] = [first?.name ?? '', first?.dims ?? []];
  if (boxes === 'grid-offsets') {
    const unfit = strides.find((stride) => width % stride !== 0 || height % stride !== 0);
    if (unfit !== undefined) throw boxError(file, `images of ${width} x ${height} pixels are no multiple of the stride ${unfit}: say with --strides how far the cells of its grids are apart`);
    const cells = gridCells({ width, height }, strides).length;
    requireDims(file, name, dims, [cells, gridNumbersBeforeClasses + labels], `${labels} labels and the strides ${strides.join(', ')} on images of ${width} x ${height} pixels`);
    return { kind: 'grid-offsets', output: name, strides: [...strides] };
  }
  const places = dims[0] ?? 0;
  requireDims(file, name, dims, [places, 4], 'corners of boxes');
  requireDims(file, second?.name ?? '', second?.dims ?? [], [places, 1 + labels], `the background and ${labels} labels at ${places} places`);
  return { kind: 'relative-corners', boxes: name, scores: second?.name ?? '', places };
}

function requireDims(file: string, name: string, found: readonly number[], needed: readonly number[], what: string): void {
  if (found.length === needed.length && found.every((size, index) => size === needed[index])) return;
  throw boxError(file, `the output ${name} has [${found.join(', ')}] numbers for an image; ${what} take [${needed.join(', ')}]`);
}

function boxError(file: string, message: string): Error {
  return modelError('LS_MODEL_IMPORT', `${file}: ${message}`, { file });
}
