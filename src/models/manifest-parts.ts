/** What manifests of every kind have in common. */
import { z } from 'zod';

/** Relative, forward slashes, no step out of the directory; symbolic links are followed and checked where files are opened. */
function isConfined(path: string): boolean {
  return !path.startsWith('/') && !/[\\:\0]/.test(path) && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

export const confinedPath = z
  .string()
  .refine(isConfined, 'must be a path inside the directory of the model: relative, with forward slashes, without . and ..');

export const unique = (values: readonly string[]): boolean => new Set(values).size === values.length;

const file = z.strictObject({
  path: confinedPath,
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in 64 lower-case hexadecimal digits'),
  sizeBytes: z.int().min(0).max(2 ** 32),
});

/** Who a model is, where it comes from, and what it consists of. */
export const commonParts = {
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,99}$/, 'must be 1 to 100 of a-z 0-9 . _ -'),
  version: z.string().regex(/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/, 'must be a version like 1.0.0'),
  licence: z.string().min(1),
  source: z.string().min(1),
  files: z
    .array(file)
    .min(1)
    .refine((files) => unique(files.map(({ path }) => path)), 'must not list a file twice'),
  /** The bytes of an item's result depend on the item alone; proved by `labelstream models verify` and, in small, at every load. */
  reproducible: z.boolean(),
  quality: z.record(z.string(), z.unknown()).default({}),
  card: confinedPath.optional(),
};

/** What is asked with a known input, in the words of its task. */
export const knownConfig = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

/** An image or a sound that is one of the files of the manifest, and what is asked about it. */
export function knownFileInputs<Config extends z.ZodType>(config: Config) {
  const file = { file: confinedPath, contentType: z.string().min(1) };
  const image = z.strictObject({ kind: z.literal('image'), ...file, text: z.string().min(1).optional(), classes: z.array(z.string().min(1)).min(1).optional(), config });
  const audio = z.strictObject({ kind: z.literal('audio'), ...file, config });
  return [image, audio] as const;
}

const finite = z.number();

/** The known answer of a detector, in the shape of the results of its task. */
export const knownDetections = z.strictObject({
  kind: z.literal('detections'),
  boxes: z.array(z.tuple([finite, finite, finite, finite])),
  labels: z.array(z.string()),
  scores: z.array(finite),
});

export type KnownDetections = z.infer<typeof knownDetections>;

/** What each part of a manifest allows and the parts together do not. */
export type Contradiction = { readonly path: (string | number)[]; readonly message: string };
