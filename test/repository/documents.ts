/** The documents as data: their blocks of code with the marks above them, and the commands within their sentences. */
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../..');

/**
 * All that a block of commands may need beyond the repository: named above it, as `<!-- needs: Docker -->`. The blocks that need sample data are run by
 * test/integration/tutorials.test.ts, where there is some; the commands of a fresh clone by .ci/run; those with Java and Maven by
 * test/service/kafka-demo.test.ts, those with a Kafka broker by test/service/kafka-document.test.ts; the requests of docs/http.md by test/service/http-document.test.ts; those of the package by scripts/package-smoke-test.ts; the others by nobody.
 */
export const needs = ['Docker', 'a Kafka broker', 'Java and Maven', 'Python', 'a fresh clone', 'a running service', 'sample data', 'the hub', 'the package'] as const;

export type Block = {
  readonly document: string;
  /** Of its first fence, from 1. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
  /** Name and value of each mark right above: `needs` as above, `file` for a block that is a file, `prints` for what its commands print, parts divided by " | ". */
  readonly marks: ReadonlyMap<string, string>;
};

export async function documents(): Promise<readonly string[]> {
  const pages = (await readdir(join(root, 'docs'), { recursive: true })).filter((entry) => entry.endsWith('.md')).sort();
  const models = (await readdir(join(root, 'models'))).sort();
  return ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', ...pages.map((page) => join('docs', page)), ...models.map((model) => join('models', model, 'README.md'))];
}

export async function blocksOf(document: string): Promise<readonly Block[]> {
  const lines = (await readFile(join(root, document), 'utf8')).split('\n');
  const blocks: Block[] = [];
  let marks = new Map<string, string>();
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? '';
    const mark = /^<!-- (\w+): (.+) -->$/.exec(line);
    const fence = /^```(\w*)$/.exec(line);
    if (mark !== null) marks.set(mark[1] ?? '', mark[2] ?? '');
    if (fence === null) {
      if (/^\s*(```|~~~)/.test(line)) throw new Error(`${document}:${index + 1}: a block begins with three backticks at the start of its line, and a language`);
      if (mark === null && line !== '') marks = new Map();
      continue;
    }
    const end = lines.indexOf('```', index + 1);
    if (end === -1) throw new Error(`${document}:${index + 1}: this block has no end`);
    blocks.push({ document, line: index + 1, language: fence[1] ?? '', text: lines.slice(index + 1, end).join('\n'), marks });
    marks = new Map();
    index = end;
  }
  return blocks;
}

/** Commands of labelstream and npm scripts within sentences, or within the comments of a file. */
export async function inlineCommands(document: string): Promise<readonly string[]> {
  const text = (await readFile(join(root, document), 'utf8')).replaceAll(/^```[^]*?^```$/gm, '');
  return [...text.matchAll(/`((?:npm exec (?:labelstream|--) |npm run |labelstream |npx labelstream )[^`]+)`/g)].map(([, command = '']) => command.replaceAll('\n', ' '));
}
