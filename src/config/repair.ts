/**
 * A tree of settings with its mistakes taken out, so that what only the whole can tell (names that must exist) is told together with the
 * mistakes of single values. What was put in place of a value is noted, because nothing must be said of it.
 */
import type { z } from 'zod';
import type { SettingPath } from './mistakes.ts';
import { settings, type Settings } from './settings.ts';

export type Repaired = {
  readonly settings: Settings;
  /** Paths whose value was taken out or made up. */
  readonly touched: readonly SettingPath[];
};

const roundsMax = 5;
const standIns: Readonly<Record<string, unknown>> = { string: 'missing', number: 1, int: 1, array: [], object: {}, record: {} };

/** Undefined where the tree cannot be made whole by taking out or filling in single values. */
export function repairedSettings(tree: unknown): Repaired | undefined {
  if (typeof tree !== 'object' || tree === null) return undefined;
  const copy: unknown = structuredClone(tree);
  const touched: SettingPath[] = [];
  for (let round = 0; round < roundsMax; round++) {
    const parsed = settings.safeParse(copy);
    if (parsed.success) return { settings: parsed.data, touched };
    for (const issue of parsed.error.issues) touched.push(...repair(copy, issue));
  }
  return undefined;
}

function repair(tree: unknown, issue: z.core.$ZodIssue): readonly SettingPath[] {
  const path = issue.path as SettingPath;
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) take(tree, [...path, key]);
    return issue.keys.map((key) => [...path, key]);
  }
  // A value that is wrong makes room for its default; where there is none, it is then missing, and something of its kind stands in.
  if (!take(tree, path) && issue.code === 'invalid_type') put(tree, path, standIns[issue.expected]);
  return [path];
}

function parentOf(tree: unknown, path: SettingPath): Record<string | number, unknown> | undefined {
  let node = tree;
  for (const part of path.slice(0, -1)) node = typeof node === 'object' && node !== null ? (node as Record<string | number, unknown>)[part] : undefined;
  return typeof node === 'object' && node !== null && path.length > 0 ? (node as Record<string | number, unknown>) : undefined;
}

/** An element of a list is emptied, not removed: the others keep their places. False where there was nothing. */
function take(tree: unknown, path: SettingPath): boolean {
  const parent = parentOf(tree, path);
  const last = path.at(-1);
  if (parent === undefined || last === undefined || parent[last] === undefined) return false;
  if (Array.isArray(parent)) parent[last] = undefined;
  else Reflect.deleteProperty(parent, last);
  return true;
}

/** Into a place that is there. */
export function put(tree: unknown, path: SettingPath, value: unknown): void {
  const parent = parentOf(tree, path);
  const last = path.at(-1);
  if (parent !== undefined && last !== undefined) parent[last] = value;
}
