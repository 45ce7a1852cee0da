/** From a file, the environment and the command line to a checked, frozen configuration, or to every mistake at once. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import { configErrors, type ConfigErrorCode } from '../core/errors/config.ts';
import type { Route } from '../core/routes.ts';
import { checkRoutes, type KnownNames } from './checks.ts';
import { parseConfigurationDocument, type ConfigurationDocument, type VariableText } from './document.ts';
import { withResolvedPaths } from './file-paths.ts';
import { inFileOrder, located, pathText, type ConfigurationMistake, type LineOf, type SettingPath, type UnlocatedMistake } from './mistakes.ts';
import { applyOverrides, overriddenBy, type Overrides } from './overrides.ts';
import { put, repairedSettings } from './repair.ts';
import { plainSecrets, type PlainSecret } from './secrets.ts';
import { settings, type Settings } from './settings.ts';

/** The settings with relative paths resolved and routes compiled. */
export type Configuration = Omit<Settings, 'routes'> & { readonly routes: readonly Route[] };

export type LoadedConfiguration =
  | { readonly configuration: Configuration; readonly mistakes: readonly []; readonly lineOf: LineOf; readonly plainSecrets: readonly PlainSecret[] }
  | { readonly configuration: undefined; readonly mistakes: readonly ConfigurationMistake[] };

export type LoadOptions = Overrides & KnownNames & { readonly file: string };

/** A file that was read, and what can be known of it before its plugins are there. */
export type ReadConfiguration = {
  /** What `plugins` names, to be loaded before the rest can be checked, since it may be theirs; none where that cannot be read. */
  readonly plugins: readonly string[];
  /** The folder that paths start from. */
  readonly directory: string;
  readonly checked: (known: KnownNames) => LoadedConfiguration;
};

/** Once: a pipe cannot be read again, and the file may be another one by then. */
export async function readConfiguration(options: Overrides & { readonly file: string }): Promise<ReadConfiguration> {
  try {
    return readText(await readFile(options.file, 'utf8'), options);
  } catch (error) {
    const mistakes = [{ ...mistake('LS_CONFIG_FILE', [], `the file cannot be read: ${(error as Error).message}`), line: undefined }];
    return { plugins: [], directory: dirname(resolve(options.file)), checked: () => refused(mistakes) };
  }
}

export async function loadConfiguration(options: LoadOptions): Promise<LoadedConfiguration> {
  return (await readConfiguration(options)).checked(options);
}

/** As `loadConfiguration`, of a text that is at hand; relative paths start at the directory of `options.file`. */
export function parseConfiguration(text: string, options: LoadOptions): LoadedConfiguration {
  return readText(text, options).checked(options);
}

function readText(text: string, options: Overrides & { readonly file: string }): ReadConfiguration {
  const directory = dirname(resolve(options.file));
  const document = parseConfigurationDocument(text, options.environment);
  if (document.mistakes.some(({ code }) => code === 'LS_CONFIG_SYNTAX')) return { plugins: [], directory, checked: () => refused(document.mistakes) };
  const tree = (isTree(document.value) ? structuredClone(document.value) : document.value) as Record<string, unknown>;
  const overrideMistakes = isTree(tree) ? applyOverrides(tree, options) : [];
  const plugins = settings.shape.plugins.safeParse(isTree(tree) ? tree['plugins'] : undefined);
  return { plugins: plugins.success ? plugins.data : [], directory, checked: (known) => checkedConfiguration({ document, tree, overrideMistakes, directory }, { ...options, ...known }) };
}

type Read = { readonly document: ConfigurationDocument; readonly tree: Record<string, unknown>; readonly overrideMistakes: readonly ConfigurationMistake[]; readonly directory: string };

function checkedConfiguration({ document, tree, overrideMistakes, directory }: Read, options: LoadOptions): LoadedConfiguration {
  const lineOf: LineOf = (path) => (overriddenBy(path, options) === undefined ? document.lineOf(path) : undefined);
  const told = (mistakes: readonly UnlocatedMistake[]): readonly ConfigurationMistake[] => located(mistakes.map((each) => withGiver(each, options)), lineOf);
  const parsed = parsedSettings(tree, document.variableTexts);
  if (!parsed.success) {
    const found = parsed.error.issues.flatMap((issue) => mistakesOf(issue, issue.path as SettingPath, tree));
    const others = [...found, ...mistakesOfTheRest(tree, options)].filter(({ path }) => !isUnset(path, document.mistakes));
    return refused([...document.mistakes, ...overrideMistakes, ...told(others)]);
  }
  const checked = checkRoutes(parsed.data, options);
  const mistakes = [...document.mistakes, ...overrideMistakes, ...told(checked.mistakes)];
  if (mistakes.length > 0) return refused(mistakes);
  const configuration = freeze(withResolvedPaths({ ...parsed.data, routes: checked.routes }, directory));
  return { configuration, mistakes: [], lineOf, plainSecrets: plainSecrets(document, options) };
}

/** The file may be right where a flag or a variable is wrong. */
function withGiver(mistake: UnlocatedMistake, overrides: Overrides): UnlocatedMistake {
  const giver = overriddenBy(mistake.path, overrides);
  return giver === undefined ? mistake : { ...mistake, message: `${mistake.message} (by ${giver})` };
}

/** What a variable holds is a number or a boolean where it looks like one, but a text where the setting is a text: a password may be 12345678. */
function parsedSettings(tree: unknown, variableTexts: readonly VariableText[]): ReturnType<typeof settings.safeParse> {
  const parsed = settings.safeParse(tree);
  if (parsed.success || !isTree(tree)) return parsed;
  const textsExpected = new Set(parsed.error.issues.filter(isTextExpected).map(({ path }) => pathText(path as SettingPath)));
  for (const { path, text } of variableTexts) if (textsExpected.has(pathText(path))) put(tree, path, text);
  return settings.safeParse(tree);
}

function isTextExpected(issue: z.core.$ZodIssue): boolean {
  return issue.code === 'invalid_type' && issue.expected === 'string';
}

/** A setting whose variable is not set is wrong for that reason alone. */
function isUnset(path: SettingPath, mistakes: readonly ConfigurationMistake[]): boolean {
  return mistakes.some(({ code, path: unset }) => code === 'LS_CONFIG_VARIABLE_UNSET' && unset.length > 0 && pathText(unset) === pathText(path));
}

/** What is wrong with the whole beside the values that are wrong by themselves: every mistake is told at once. */
function mistakesOfTheRest(tree: unknown, known: LoadOptions): readonly UnlocatedMistake[] {
  const repaired = repairedSettings(tree);
  if (repaired === undefined) return [];
  const isTouched = (path: SettingPath): boolean =>
    repaired.touched.some((touched) => touched.every((part, index) => part === path[index]) || path.every((part, index) => part === touched[index]));
  return checkRoutes(repaired.settings, known).mistakes.filter(({ path }) => !isTouched(path));
}

function refused(mistakes: readonly ConfigurationMistake[]): LoadedConfiguration {
  return { configuration: undefined, mistakes: inFileOrder(mistakes) };
}

function isTree(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function freeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null) {
    for (const child of Object.values(value)) freeze(child);
    Object.freeze(value);
  }
  return value;
}

/** An issue of zod as one mistake, or as one for each unknown key. */
function mistakesOf(issue: z.core.$ZodIssue, path: SettingPath, tree: unknown): UnlocatedMistake[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownKey(path, key));
  }
  if (path.length > 0 && valueAt(tree, path) === undefined) {
    const expected = lowerFirst(issue.message).replace(/^invalid (input|option): /, '').replace(/, received undefined$/, '');
    return [mistake('LS_CONFIG_VALUE', path, `${pathText(path)} is missing: ${expected}`)];
  }
  const refused = mistake('LS_CONFIG_VALUE', path, `${pathText(path) || 'the configuration'}: ${lowerFirst(issue.message)}`);
  const remedy = remedyOfRange(issue);
  return [remedy === undefined ? refused : { ...refused, remedy }];
}

/** Of a number that is out of its range. */
function remedyOfRange(issue: z.core.$ZodIssue): string | undefined {
  if ((issue.code !== 'too_small' && issue.code !== 'too_big') || (issue.origin !== 'number' && issue.origin !== 'int')) return undefined;
  if (issue.code === 'too_small') return issue.inclusive === false ? `Give a number above ${issue.minimum}.` : `Give a number from ${issue.minimum} up.`;
  return issue.inclusive === false ? `Give a number below ${issue.maximum}.` : `Give a number up to ${issue.maximum}.`;
}

/** Of `{sasToken:abc}` YAML makes one key, which holds the value: only the name that it begins with is repeated. */
function unknownKey(path: SettingPath, key: string): UnlocatedMistake {
  const name = /^[\w.-]*/.exec(key)?.[0] ?? '';
  if (name === key) return mistake('LS_CONFIG_KEY_UNKNOWN', [...path, key], `there is no setting "${pathText([...path, key])}"`);
  const message = `${pathText(path) || 'the configuration'}: a key that begins with "${name}" and is no name`;
  return { code: 'LS_CONFIG_KEY_UNKNOWN', path, message, remedy: 'Write NAME: VALUE, with a space after the colon.' };
}

function valueAt(tree: unknown, path: SettingPath): unknown {
  return path.reduce<unknown>((node, part) => (typeof node === 'object' && node !== null ? (node as Record<string | number, unknown>)[part] : undefined), tree);
}

function mistake(code: ConfigErrorCode, path: SettingPath, message: string): UnlocatedMistake {
  return { code, path, message, remedy: configErrors[code].remedy };
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
