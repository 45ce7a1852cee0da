// The catalogue of errors, the source and the tests say the same: no code is unknown, none is idle, none is untested.
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { configurationReference } from '../../src/config/reference.ts';
import { errorCatalogue } from '../../src/core/errors/catalogue.ts';
import type { ErrorDescription } from '../../src/core/errors/error.ts';

const root = resolve(import.meta.dirname, '../..');
const catalogue: Readonly<Record<string, ErrorDescription>> = errorCatalogue;
const codes = Object.keys(catalogue).sort();

type Text = { readonly file: string; readonly text: string };

async function textsOf(folder: string): Promise<readonly Text[]> {
  const entries = await readdir(join(root, folder), { recursive: true });
  const files = entries.filter((entry) => entry.endsWith('.ts')).map((entry) => join(root, folder, entry));
  return Promise.all(files.filter((file) => file !== import.meta.filename).map(async (file) => ({ file: relative(root, file), text: await readFile(file, 'utf8') })));
}

function codesIn(texts: readonly Text[], pattern: RegExp): Map<string, string> {
  const found = new Map<string, string>();
  for (const { file, text } of texts) for (const [, code = ''] of text.matchAll(pattern)) found.set(code, file);
  return found;
}

async function usedInSource(): Promise<Map<string, string>> {
  const texts = await textsOf('src');
  return codesIn(texts.filter(({ file }) => !file.startsWith(join('src', 'core', 'errors'))), /'(LS_[A-Z0-9_]+)'/g);
}

test('every code that the source names is in the catalogue', async () => {
  const used = await usedInSource();
  expect(used.size).toBeGreaterThan(50);
  expect([...used].filter(([code]) => !(code in catalogue))).toEqual([]);
});

test('every code of the catalogue is used by the source', async () => {
  const used = await usedInSource();
  expect(codes.filter((code) => !used.has(code))).toEqual([]);
});

test('every code of the catalogue is in a test', async () => {
  const tested = codesIn(await textsOf('test'), /\b(LS_[A-Z0-9_]+)\b/g);
  expect(codes.filter((code) => !tested.has(code))).toEqual([]);
});

test('every code is well formed, and says in sentences what happened and what to do', () => {
  for (const code of codes) {
    expect(code).toMatch(/^LS_[A-Z]+(_[A-Z]+)+$/);
    for (const sentence of [catalogue[code]?.summary, catalogue[code]?.remedy]) expect(sentence, code).toMatch(/^\S.*\.$/s);
  }
});

test('settings that remedies name are settings', () => {
  const known = [...configurationReference().matchAll(/^\| `([\w.*[\]]+)`/gm)].map(([, path = '']) => path);
  const isKnown = (name: string): boolean => known.some((path) => path === name || path.startsWith(`${name}.`));
  const named = codes.flatMap((code) => [...(catalogue[code]?.remedy ?? '').matchAll(/`([a-z]\w*(?:\.\w+)+)`/g)].map(([, name = '']) => ({ code, name })));
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter(({ name }) => !isKnown(name))).toEqual([]);
});

test('the reference page names every code', async () => {
  const page = await readFile(join(root, 'docs/errors.md'), 'utf8');
  expect(codes.filter((code) => !page.includes(code))).toEqual([]);
});
