/** The labels of a model that is imported: a list from one of the files that are in use, or groups of classes under names of one's own. */
import { readFile } from 'node:fs/promises';
import { modelError } from '../core/errors/model.ts';

export type LabelGroup = { readonly label: string; readonly first: number; readonly last: number };

/**
 * One label per line; or JSON, a list or an object by index; or what Python prints of a dictionary by index. Labels that occur twice (ImageNet has two
 * cranes) get their index behind them. Rejects with LS_MODEL_IMPORT.
 */
export async function readLabels(file: string): Promise<readonly string[]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw modelError('LS_MODEL_IMPORT', `the labels ${file} cannot be read: ${messageOf(error)}`, { file }, { cause: error });
  }
  const labels = labelsIn(text, file);
  const empty = labels.findIndex((label) => label === '');
  if (labels.length === 0 || empty >= 0) throw modelError('LS_MODEL_IMPORT', `${file} has no label for class ${Math.max(empty, 0)}`, { file });
  return labels.map((label, index) => (labels.indexOf(label) === labels.lastIndexOf(label) ? label : `${label} (${index})`));
}

function labelsIn(text: string, file: string): readonly string[] {
  const trimmed = text.replace(/^\uFEFF/, '').trim();
  if (/^\{\s*\d+\s*:/.test(trimmed)) return byIndex([...trimmed.matchAll(/(\d+)\s*:\s*(?:'([^']*)'|"([^"]*)")/g)].map(([, index, single, double]) => [Number(index), single ?? double ?? '']));
  if (!/^[[{]/.test(trimmed)) return trimmed.split(/\r?\n/).map((line) => line.trim());
  try {
    const json: unknown = JSON.parse(trimmed);
    if (Array.isArray(json) && json.every((label) => typeof label === 'string')) return json.map((label) => label.trim());
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) {
      return byIndex(Object.entries(json).map(([index, label]: [string, unknown]) => [Number(index), typeof label === 'string' ? label.trim() : '']));
    }
  } catch (error) {
    throw modelError('LS_MODEL_IMPORT', `the labels ${file} look like JSON and are none: ${messageOf(error)}`, { file }, { cause: error });
  }
  throw modelError('LS_MODEL_IMPORT', `the labels ${file} are JSON, but neither a list of texts nor an object by index`, { file });
}

/** An index without a label is an empty label, which the caller refuses. */
function byIndex(entries: readonly (readonly [index: number, label: string])[]): readonly string[] {
  const labels = new Map(entries);
  return Array.from({ length: entries.length }, (_, index) => labels.get(index) ?? '');
}

/** @param groups of one label there may be several. Throws LS_MODEL_IMPORT where they go beyond the classes, or meet. */
export function groupMembers(groups: readonly LabelGroup[], classes: number): { readonly labels: string[]; readonly members: number[][] } {
  const members = new Map<string, number[]>();
  const owner = new Map<number, string>();
  for (const { label, first, last } of groups) {
    if (last >= classes) throw modelError('LS_MODEL_IMPORT', `the group ${label} goes to class ${last}; the model has the classes 0 to ${classes - 1}`, { label });
    for (let index = first; index <= last; index += 1) {
      const other = owner.get(index);
      if (other !== undefined) throw modelError('LS_MODEL_IMPORT', `the class ${index} is in the groups ${other} and ${label}`, { label });
      owner.set(index, label);
      members.set(label, [...(members.get(label) ?? []), index]);
    }
  }
  return { labels: [...members.keys()], members: [...members.values()] };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
