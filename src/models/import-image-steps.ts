/** How the images of an imported model become its tensor: from the shape of its input, a preset that says how it was trained, and single options. */
import { modelError } from '../core/errors/model.ts';
import type { GraphManifest } from './manifest.ts';
import type { OnnxPort } from './onnx-graph.ts';

export type ImageSteps = Extract<GraphManifest['preprocessing'], { kind: 'image' }>;

type Three = [number, number, number];

/** Of red, green and blue; `shorterSide` is a share of the size. What a preset does not say is that of `imageSteps`. */
type Preset = {
  readonly scale: number;
  readonly mean: Three;
  readonly deviation: Three;
  readonly shorterSide?: number;
  readonly rule?: ImageSteps['resize']['rule'];
  readonly placement?: 'top-left';
  readonly background?: Three;
  readonly colourOrder?: ImageSteps['colourOrder'];
};

const plain = { mean: [0, 0, 0], deviation: [1, 1, 1] } satisfies Pick<Preset, 'mean' | 'deviation'>;

/** What networks are usually trained on. */
export const imagePresets = {
  /** torchvision's networks for ImageNet: the middle of 7/8 of the image. */
  imagenet: { scale: 1 / 255, mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225], shorterSide: 256 / 224 },
  /** 0 to 1. */
  unit: { scale: 1 / 255, ...plain },
  /** -1 to 1. */
  signed: { scale: 2 / 255, mean: [1, 1, 1], deviation: [1, 1, 1] },
  /** 0 to 255. */
  raw: { scale: 1, ...plain },
  /** YOLOX: 0 to 255, blue first; the whole image, at the top left of a grey ground. */
  yolox: { scale: 1, ...plain, colourOrder: 'BGR', rule: 'contain', placement: 'top-left', background: [114, 114, 114] },
  /** UltraFace: about -1 to 1; the whole image, stretched. */
  ultraface: { scale: 1, mean: [127, 127, 127], deviation: [128, 128, 128], rule: 'stretch' },
} as const satisfies Readonly<Record<string, Preset>>;

export type ImagePreset = keyof typeof imagePresets;

export type ImageStepOptions = {
  readonly preset?: ImagePreset;
  readonly size?: { readonly width: number; readonly height: number };
  readonly resize?: ImageSteps['resize']['rule'];
  /** As large as the model's own size: no more is cut off than the proportions demand. */
  readonly shorterSide?: number;
  /** With contain. */
  readonly placement?: 'middle' | 'top-left';
  readonly kernel?: ImageSteps['resize']['kernel'];
  readonly background?: Three;
  readonly colourOrder?: ImageSteps['colourOrder'];
  readonly scale?: number;
  /** In colour order, like the deviation. */
  readonly mean?: Three;
  readonly deviation?: Three;
  readonly layout?: ImageSteps['layout'];
};

/** @param file for messages. Throws LS_MODEL_IMPORT where the input is none of an image, or too little is known. */
export function imageSteps(file: string, { name, shape }: OnnxPort, options: ImageStepOptions): ImageSteps {
  const refuse = (message: string): never => {
    throw modelError('LS_MODEL_IMPORT', `${file}: ${message}`, { file });
  };
  const place = `the input ${name}`;
  if (shape?.length !== 4) return refuse(`${place} is ${shapeText(shape)}; only images can be imported: [batch, 3, height, width] or [batch, height, width, 3]`);
  const layout = options.layout ?? layoutOf(shape) ?? refuse(layoutProblem(place, shape));
  const [channels, height, width] = layout === 'NCHW' ? [shape[1], shape[2], shape[3]] : [shape[3], shape[1], shape[2]];
  if (isFixed(channels) && channels !== 3) return refuse(`${place} is ${shapeText(shape)}: ${channels} channels; images have 3`);
  const extent = (side: 'width' | 'height', fixed: number | string | undefined): number => {
    const wanted = options.size?.[side];
    if (isFixed(fixed) && wanted !== undefined && wanted !== fixed) return refuse(`${place} has the fixed ${side} ${fixed}; --size says ${wanted}`);
    return isFixed(fixed) ? fixed : (wanted ?? refuse(`${place} is ${shapeText(shape)}: say with --size WIDTHxHEIGHT how large its images are`));
  };
  const size = { width: extent('width', width), height: extent('height', height) };
  if (options.preset === undefined && options.scale === undefined) {
    return refuse(`which numbers it was trained on cannot be seen in it: say --preset ${Object.keys(imagePresets).join('|')}, or --scale with --mean and --deviation`);
  }
  const preset: Preset = imagePresets[options.preset ?? 'raw'];
  const colourOrder = options.colourOrder ?? preset.colourOrder ?? 'RGB';
  const ordered = ([red, green, blue]: Three): Three => (colourOrder === 'RGB' ? [red, green, blue] : [blue, green, red]);
  return {
    kind: 'image',
    input: name,
    ...size,
    resize: resizeOf(size, options, preset, refuse),
    background: options.background ?? preset.background ?? [0, 0, 0],
    colourOrder,
    scale: options.scale ?? preset.scale,
    mean: options.mean ?? ordered(preset.mean),
    deviation: options.deviation ?? ordered(preset.deviation),
    layout,
  };
}

function resizeOf({ width, height }: { width: number; height: number }, options: ImageStepOptions, preset: Preset, refuse: (message: string) => never): ImageSteps['resize'] {
  const rule = options.resize ?? preset.rule ?? 'cover';
  const kernel = options.kernel ?? 'linear';
  if (options.placement !== undefined && rule !== 'contain') return refuse(`--placement goes with --resize contain, not with ${rule}`);
  if (options.shorterSide !== undefined && rule !== 'cover') return refuse(`--shorter-side goes with --resize cover, not with ${rule}`);
  const placement = options.placement ?? preset.placement;
  if (rule === 'contain' && placement !== undefined) return { rule, placement, kernel };
  if (rule !== 'cover') return { rule, kernel };
  const larger = Math.max(width, height);
  const shorterSide = options.shorterSide ?? (preset.shorterSide === undefined ? undefined : Math.round(preset.shorterSide * larger));
  if (shorterSide === undefined) return { rule, kernel };
  return shorterSide >= larger ? { rule, shorterSide, kernel } : refuse(`--shorter-side ${shorterSide} does not cover ${width}x${height}`);
}

function layoutOf(shape: readonly (number | string)[]): ImageSteps['layout'] | undefined {
  const [first, last] = [shape[1] === 3, shape[3] === 3];
  return first === last ? undefined : first ? 'NCHW' : 'NHWC';
}

function layoutProblem(place: string, shape: readonly (number | string)[]): string {
  const channels = [shape[1], shape[3]];
  if (channels.every((size) => isFixed(size) && size !== 3)) {
    return `${place} is ${shapeText(shape)}: neither its second nor its last size is 3, as images of three colours have it`;
  }
  return `${place} is ${shapeText(shape)}: say with --layout NCHW or NHWC where its colours are`;
}

export function isFixed(dimension: number | string | undefined): dimension is number {
  return typeof dimension === 'number' && dimension > 0 && dimension < 2 ** 31;
}

export function shapeText(shape: readonly (number | string)[] | undefined): string {
  return shape === undefined ? 'of no known shape' : `[${shape.map((size) => (size === '' ? '?' : size)).join(', ')}]`;
}
