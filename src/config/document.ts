/**
 * A configuration file before its meaning: YAML, with `${NAME}` and `${NAME:-default}` replaced after parsing, so that a value can never
 * change the structure. Names of variables are upper case, which keeps them apart from collection templates such as `${labels.classify}`.
 */
import { isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, Scalar, visit, type Document } from 'yaml';
import type { ConfigurationMistake, LineOf, SettingPath } from './mistakes.ts';
import { syntaxMistakes } from './syntax.ts';

export type ConfigurationDocument = {
  readonly value: unknown;
  /** The same before variables were replaced. */
  readonly asWritten: unknown;
  /** Numbers and booleans that came of variables, for settings that are texts: where they stand in `value`, and as what they were given. */
  readonly variableTexts: readonly VariableText[];
  readonly mistakes: readonly ConfigurationMistake[];
  /** The line of a setting, or of the nearest thing around it that is in the file. */
  readonly lineOf: LineOf;
};

export type VariableText = { readonly path: SettingPath; readonly text: string };

type Environment = Readonly<Record<string, string | undefined>>;

const variable = /\$\{([A-Z_][A-Z0-9_]*)(?::-([^}]*))?\}/g;

export function parseConfigurationDocument(text: string, environment: Environment): ConfigurationDocument {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter });
  const mistakes = syntaxMistakes(document, lineCounter);
  if (mistakes.length > 0) return { value: {}, asWritten: {}, variableTexts: [], mistakes, lineOf: () => undefined };
  // What is wrong with it is told of the value.
  const asWritten = plainValue(document, []);
  const variableTexts: VariableText[] = [];
  mistakes.push(...interpolate(document, environment, lineCounter, variableTexts));
  return {
    value: plainValue(document, mistakes),
    asWritten,
    variableTexts,
    mistakes,
    lineOf: (path) => lineOf(document, path, lineCounter),
  };
}

function plainValue(document: Document, mistakes: ConfigurationMistake[]): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 }) ?? {};
  } catch {
    // Aliases of aliases can make a short file a very large value.
    const remedy = 'Write the values out instead of referring to aliases of aliases.';
    mistakes.push({ code: 'LS_CONFIG_SYNTAX', path: [], line: undefined, message: 'aliases (*) of aliases, too many of them', remedy });
    return {};
  }
}

function interpolate(
  document: Document,
  environment: Environment,
  lineCounter: LineCounter,
  variableTexts: VariableText[],
): ConfigurationMistake[] {
  const mistakes: ConfigurationMistake[] = [];
  visit(document, {
    Scalar(_key, node, ancestors) {
      if (typeof node.value !== 'string') return;
      const before = node.value;
      if (before.search(variable) === -1) return;
      const text = before.replace(variable, (_whole, name: string, fallback: string | undefined) => {
        // As in a shell, `:-` serves a variable that is empty, too.
        const value = environment[name] === undefined || (environment[name] === '' && fallback !== undefined) ? fallback : environment[name];
        if (value !== undefined) return value;
        mistakes.push({
          code: 'LS_CONFIG_VARIABLE_UNSET',
          path: pathOf([...ancestors, node]),
          line: node.range ? lineCounter.linePos(node.range[0]).line : undefined,
          message: `the environment variable ${name} is not set`,
          remedy: `Set ${name}, or give it a default: \${${name}:-default}.`,
        });
        return '';
      });
      node.value = node.type === Scalar.PLAIN ? scalarValue(text) : text;
      if (node.value !== text) variableTexts.push({ path: pathOf([...ancestors, node]), text });
    },
  });
  return mistakes;
}

/** Where the last of these nodes, each within the one before, stands in the plain value. */
function pathOf(nodes: readonly unknown[]): SettingPath {
  return nodes.slice(1).flatMap((node, index): SettingPath => {
    const parent = nodes[index];
    if (isSeq(parent)) return [parent.items.indexOf(node)];
    return isPair(parent) && parent.value === node && isScalar(parent.key) ? [String(parent.key.value)] : [];
  });
}

const decimalNumber = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/** The number or the boolean that a text is; every other text is itself, whatever YAML would make of it: a password may begin with `#`. */
export function scalarValue(text: string): boolean | number | string {
  if (text === 'true' || text === 'false') return text === 'true';
  return decimalNumber.test(text) && Number.isFinite(Number(text)) ? Number(text) : text;
}

function lineOf(document: Document, path: SettingPath, lineCounter: LineCounter): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const offset = offsetOf(document, path.slice(0, length));
    if (offset !== undefined) return lineCounter.linePos(offset).line;
  }
  return undefined;
}

/** Where the last key of the path stands, which is where a person looks for it. */
function offsetOf(document: Document, path: SettingPath): number | undefined {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const last = path.at(-1);
  if (isMap(parent)) {
    const pair = parent.items.find(({ key }) => isScalar(key) && key.value === last);
    return pair !== undefined && isScalar(pair.key) ? pair.key.range?.[0] : undefined;
  }
  if (isSeq(parent) && typeof last === 'number') {
    const item = parent.items[last];
    return item !== null && typeof item === 'object' && 'range' in item && Array.isArray(item.range) ? (item.range[0] as number) : undefined;
  }
  return undefined;
}
