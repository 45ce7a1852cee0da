/** What may be said of a model that is imported: known to the command line before anything of an import is loaded. */
import type { BoxForm } from './boxes/box-form.ts';

export const importTasks = ['image-features', 'image-classification', 'object-detection'] as const;

export const boxFormKinds = ['grid-offsets', 'relative-corners'] as const satisfies readonly BoxForm['kind'][];

export const transformerPoolings = ['mean', 'first'] as const;
