import { join } from 'node:path';

/** schemas/, models/ and package.json lie here, whether this is src/ or the dist/ of a package. */
export const packageDirectory = join(import.meta.dirname, '..');
