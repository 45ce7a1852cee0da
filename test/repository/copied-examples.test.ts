// What README says of the examples in the package: a copy of them finds the package, and nothing of the repository.
import { cp, mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { blocksOf, root } from './documents.ts';
import { followBlock } from './run-blocks.ts';

const exported = ['labelstream', 'labelstream/clustering'];

test('the copies that README makes import what the package exports', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-copied-'));
  try {
    const packed = join(directory, 'node_modules/labelstream');
    await mkdir(packed, { recursive: true });
    const { files } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { readonly files: readonly string[] };
    for (const file of [...files.filter((name) => /^examples\/.*\.ts$/.test(name)), 'models']) await cp(join(root, file), join(packed, file), { recursive: true });
    for (const block of await blocksOf('README.md')) {
      if (block.marks.get('needs') === 'the package' && !block.text.includes('npm')) await followBlock(block, directory);
    }
    const copied = await readdir(join(directory, 'examples'));
    expect(copied.sort()).toEqual(['clustering.ts', 'indexer.ts']);
    for (const name of copied) {
      const imports = [...(await readFile(join(directory, 'examples', name), 'utf8')).matchAll(/^(?:import|\}) .*from '([^']+)';$/gm)].map(([, from = '']) => from);
      expect(imports.filter((from) => !from.startsWith('node:'))).toEqual([expect.toSatisfy((from: string) => exported.includes(from))]);
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
