// `npm run generate [-- --check]`: writes every generated file, or fails naming those that are stale.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { configurationJsonSchema, configurationReference } from '../src/config/reference.ts';
import { renderKernels } from './clustering-kernels.ts';
import { errorReference } from './error-reference.ts';
import { renderEventTypes } from './event-types.ts';

const root = join(import.meta.dirname, '..');

/** Each generated file, relative to the repository, and what renders its text. */
export const generatedFiles: Readonly<Record<string, () => Promise<string> | string>> = {
  'src/core/events.generated.ts': () => renderEventTypes(join(root, 'schemas')),
  'src/clustering/search/kernels.generated.ts': () => renderKernels(join(root, 'src/clustering/search/kernels.wat')),
  'docs/configuration.md': configurationReference,
  'docs/configuration.schema.json': configurationJsonSchema,
  'docs/errors.md': errorReference,
};

/** The generated files whose text on disk differs from what would be written now. */
export async function staleFiles(): Promise<string[]> {
  const stale: string[] = [];
  for (const [file, render] of Object.entries(generatedFiles)) {
    const current = await readFile(join(root, file), 'utf8').catch(() => undefined);
    if (current !== (await render())) stale.push(file);
  }
  return stale;
}

async function main(): Promise<void> {
  const stale = await staleFiles();
  if (process.argv.includes('--check')) {
    if (stale.length > 0) throw new Error(`stale: ${stale.join(', ')}; run npm run generate`);
    return;
  }
  for (const file of stale) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), (await generatedFiles[file]?.()) ?? '');
    console.log(`wrote ${file}`);
  }
}

if (import.meta.main) await main();
