/**
 * Settings from outside the file: `LABELSTREAM_SERVER__PORT=9000` in the environment, `--set server.port=9000` on the command line. Only
 * single values and lists of them (`a,b`) can be set so, not maps; a flag wins over the environment, the environment over the file.
 */
import { z } from 'zod';
import { scalarValue } from './document.ts';
import type { ConfigurationMistake, SettingPath } from './mistakes.ts';
import { settings } from './settings.ts';

const prefix = 'LABELSTREAM_';

type JsonSchema = {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly oneOf?: readonly JsonSchema[];
  readonly writeOnly?: boolean;
};

export type OverridableSetting = { readonly path: readonly string[]; readonly variable: string; readonly type: string; readonly secret: boolean };

/** Every setting that holds one value or a list of texts (its type is `array`), with the name of its environment variable. */
export function overridableSettings(): readonly OverridableSetting[] {
  if (overridable === undefined) {
    const found = new Map<string, OverridableSetting>();
    collect(settingsSchema(), [], found);
    overridable = [...found.values()];
  }
  return overridable;
}

let overridable: readonly OverridableSetting[] | undefined;

// It says the same each time, and to make it takes a tenth of a short command.
function settingsSchema(): JsonSchema {
  return (schema ??= z.toJSONSchema(settings, { io: 'input' }) as JsonSchema);
}

let schema: JsonSchema | undefined;

function collect(schema: JsonSchema, path: readonly string[], found: Map<string, OverridableSetting>): void {
  for (const variant of [schema, ...(schema.oneOf ?? [])]) {
    for (const [key, child] of Object.entries(variant.properties ?? {})) collect(child, [...path, key], found);
  }
  if (schema.type === 'object' || schema.oneOf !== undefined || schema.type === undefined) return;
  if (schema.type === 'array' && schema.items?.type !== 'string') return;
  found.set(path.join('.'), { path, variable: variableOf(path), type: schema.type, secret: schema.writeOnly === true });
}

/** Secrets below names that users choose, which have no variable: the path to the names, and the one from there. */
export function namedSecrets(): readonly { readonly names: readonly string[]; readonly path: readonly string[] }[] {
  const found: { names: readonly string[]; path: readonly string[] }[] = [];
  const visit = (schema: JsonSchema, path: readonly string[]): void => {
    for (const variant of [schema, ...(schema.oneOf ?? [])]) {
      for (const [key, child] of Object.entries(variant.properties ?? {})) visit(child, [...path, key]);
    }
    if (typeof schema.additionalProperties !== 'object') return;
    const below = new Map<string, OverridableSetting>();
    collect(schema.additionalProperties, [], below);
    for (const { path: rest, secret } of below.values()) if (secret) found.push({ names: path, path: rest });
  };
  visit(settingsSchema(), []);
  return found;
}

function variableOf(path: readonly string[]): string {
  return prefix + path.map((part) => part.replace(/([A-Z])/g, '_$1').toUpperCase()).join('__');
}

export type Overrides = {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `path=value`, as given with --set. */
  readonly assignments: readonly string[];
  /** What put settings among the others, as a person gave it, such as `PORT in .env`: by the path of the setting. */
  readonly givers?: Readonly<Record<string, string>> | undefined;
  /** By task, for server.defaults.models: the names in it are no settings of their own. */
  readonly defaultModels?: Readonly<Record<string, string>> | undefined;
  /** By name, for server.keys, whose names are no settings of their own either. */
  readonly keys?: Readonly<Record<string, { readonly sha256: string; readonly scopes: readonly string[] }>> | undefined;
};

/** Puts the overrides into `target`, a plain tree as read from the file. */
export function applyOverrides(target: Record<string, unknown>, overrides: Overrides): readonly ConfigurationMistake[] {
  const known = overridableSettings();
  for (const setting of known) {
    const value = overrides.environment[setting.variable];
    if (value !== undefined) assign(target, setting.path, typed(setting, value));
  }
  for (const [task, model] of Object.entries(overrides.defaultModels ?? {})) assign(target, ['server', 'defaults', 'models', task], model);
  for (const [name, key] of Object.entries(overrides.keys ?? {})) assign(target, ['server', 'keys', name], key);
  return overrides.assignments.flatMap((assignment) => {
    const equals = assignment.indexOf('=');
    const path = equals === -1 ? assignment : assignment.slice(0, equals);
    const setting = known.find((candidate) => candidate.path.join('.') === path);
    if (setting === undefined || equals === -1) return [unknownAssignment(path)];
    assign(target, setting.path, typed(setting, assignment.slice(equals + 1)));
    return [];
  });
}

/** What sets a setting in place of the file, as a person gave it, such as `--set server.port` or `LABELSTREAM_SERVER__PORT`; undefined: nothing does. */
export function overriddenBy(path: SettingPath, { environment, assignments, givers = {} }: Overrides): string | undefined {
  const giver = givers[path.join('.')];
  if (giver !== undefined) return giver;
  const setting = overridableSettings().find((candidate) => candidate.path.every((part, index) => part === path[index]));
  if (setting === undefined) return undefined;
  const name = setting.path.join('.');
  if (assignments.some((assignment) => assignment.startsWith(`${name}=`))) return `--set ${name}`;
  return environment[setting.variable] === undefined ? undefined : setting.variable;
}

/** Variables that name no setting, but nearly one. Others with our prefix may be what a file asks for by `${NAME}`. */
export function misspeltVariables(environment: Overrides['environment']): readonly { readonly variable: string; readonly nearest: string }[] {
  const known = overridableSettings().map(({ variable }) => variable);
  return Object.keys(environment).flatMap((variable) => {
    if (!variable.startsWith(prefix) || environment[variable] === undefined || known.includes(variable)) return [];
    const nearest = known.find((name) => Math.abs(name.length - variable.length) <= misspellingMax && editDistance(name, variable) <= misspellingMax);
    return nearest === undefined ? [] : [{ variable, nearest }];
  });
}

const misspellingMax = 2;

/** Characters to put in, leave out or replace to make one text of the other (Levenshtein). */
function editDistance(left: string, right: string): number {
  let before = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (const [row, character] of Array.from(left).entries()) {
    const now = [row + 1];
    for (const [column, other] of Array.from(right).entries()) {
      now.push(Math.min((now[column] ?? 0) + 1, (before[column + 1] ?? 0) + 1, (before[column] ?? 0) + (character === other ? 0 : 1)));
    }
    before = now;
  }
  return before[right.length] ?? 0;
}

/** Without the value, which may be a secret under a misspelt name. */
function unknownAssignment(path: string): ConfigurationMistake {
  return {
    code: 'LS_CONFIG_KEY_UNKNOWN',
    path: [],
    line: undefined,
    message: `--set ${path} names no setting that can be set so`,
    remedy: 'Write --set PATH=VALUE with a path of docs/configuration.md, such as server.port=9000.',
  };
}

function typed(setting: OverridableSetting, text: string): unknown {
  if (setting.type === 'array') return text.split(',').map((part) => part.trim()).filter((part) => part !== '');
  return setting.type === 'string' ? text : scalarValue(text);
}

function assign(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let node = target;
  for (const part of path.slice(0, -1)) {
    const next = node[part];
    if (typeof next === 'object' && next !== null && !Array.isArray(next)) node = next as Record<string, unknown>;
    else node = node[part] = {};
  }
  const last = path.at(-1);
  if (last !== undefined) node[last] = value;
}
