/**
 * Which files of a repository are pulled. Unless somebody names them: what the program reads, and what says whose it is. That is JSON, tokenizers, licences
 * and cards, and of the ONNX files those that `models import` takes, in float32; not the weights of other frameworks and not the other precisions.
 */
import { posix } from 'node:path';
import { pullError } from '../core/errors/pull.ts';
import { confinedPath } from '../models/manifest-parts.ts';
import type { ListedFile } from './mirror.ts';

const described = /\.(json|txt|md|model)$|^(licen[cs]e|notice)([._-].*)?$/i;
/** As optimum and transformers.js call the graphs that an architecture consists of, with what they keep beside them. */
const graph = /^(model|encoder_model|decoder_model_merged|vision_model|text_model|vision_encoder|embed_tokens)\.onnx([._]data(_\d+)?)?$/;
const anyGraph = /\.onnx([._]data(_\d+)?)?$/;

/**
 * Throws LS_PULL_NOT_FOUND where a pattern fits nothing, LS_PULL_PATH, LS_PULL_ANSWER where a file is listed twice.
 * @param patterns names; `*` stands for anything within a part of a path, `**` for anything. None: the choice of the program.
 */
export function chosenFiles(listed: readonly ListedFile[], patterns: readonly string[]): readonly ListedFile[] {
  const chosen = patterns.length === 0 ? usualFiles(listed) : namedFiles(listed, patterns);
  for (const { path } of chosen) requireConfined(path);
  const twice = chosen.find(({ path }, index) => chosen.findIndex((other) => other.path === path) < index);
  if (twice !== undefined) throw pullError('LS_PULL_ANSWER', `the list of files has ${twice.path} twice`, { file: twice.path });
  if (chosen.length === 0) throw pullError('LS_PULL_NOT_FOUND', 'the repository holds none of the files that are usually pulled: name some with --file');
  return chosen;
}

/** Of a mirror that keeps no list. Throws LS_PULL_NOT_FOUND, LS_PULL_PATH. */
export function unlistedFiles(patterns: readonly string[]): readonly ListedFile[] {
  const wild = patterns.find((pattern) => pattern.includes('*'));
  if (wild !== undefined) throw pullError('LS_PULL_NOT_FOUND', `the mirror keeps no list of the repository, in which ${wild} could be looked for: name each file`);
  for (const path of patterns) requireConfined(path);
  return [...new Set(patterns)].map((path) => ({ path }));
}

function usualFiles(listed: readonly ListedFile[]): readonly ListedFile[] {
  // One that leads upwards is not hidden, but refused.
  const shown = listed.filter(({ path }) => !path.split('/').some((part) => part.startsWith('.') && part !== '..'));
  const graphs = shown.filter(({ path }) => graph.test(posix.basename(path)));
  const others = graphs.length > 0 ? graphs : shown.filter(({ path }) => anyGraph.test(path));
  return shown.filter((file) => described.test(posix.basename(file.path)) || others.includes(file));
}

function namedFiles(listed: readonly ListedFile[], patterns: readonly string[]): readonly ListedFile[] {
  const tests = patterns.map((pattern) => ({ pattern, fits: fitting(pattern) }));
  for (const { pattern, fits } of tests) {
    if (!listed.some(({ path }) => fits.test(path))) throw pullError('LS_PULL_NOT_FOUND', `the repository holds no file ${pattern}`, { file: pattern });
  }
  return listed.filter(({ path }) => tests.some(({ fits }) => fits.test(path)));
}

function fitting(pattern: string): RegExp {
  const parts = pattern.split(/(\*\*|\*)/).map((part) => (part === '**' ? '.*' : part === '*' ? '[^/]*' : part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`)));
  return new RegExp(`^${parts.join('')}$`);
}

function requireConfined(path: string): void {
  const isPrintable = !/[\p{Cc}]/u.test(path);
  if (isPrintable && path.length <= 500 && confinedPath.safeParse(path).success) return;
  throw pullError('LS_PULL_PATH', `${JSON.stringify(path.slice(0, 200))} is no path inside of a directory`, { path: path.slice(0, 200) });
}
