/**
 * Collection names, and texts that answers begin with, as templates over an event and over earlier results (SEMANTICS.md, rule 7): `pets-${labels.classify|other}`.
 *
 * The text between `|` and `}` is the default; it serves only a value that is empty, never one that is missing because its step failed.
 */

export type TemplatePart =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'value'; readonly path: TemplatePath; readonly fallback: string | undefined };

export type TemplatePath =
  | { readonly kind: 'field'; readonly field: 'collection' | 'source' | 'language' }
  | { readonly kind: 'attribute'; readonly attribute: string }
  | { readonly kind: 'label'; readonly step: string };

export type Template = { readonly text: string; readonly parts: readonly TemplatePart[] };

export type TemplateMistake = { readonly mistake: string };

const fields = ['collection', 'source', 'language'] as const;

/** Compiles a template, or says what is wrong with it. */
export function compileTemplate(text: string): Template | TemplateMistake {
  const parts: TemplatePart[] = [];
  let offset = 0;
  while (offset < text.length) {
    const open = text.indexOf('${', offset);
    if (open === -1) {
      parts.push({ kind: 'literal', text: text.slice(offset) });
      break;
    }
    if (open > offset) parts.push({ kind: 'literal', text: text.slice(offset, open) });
    const close = text.indexOf('}', open);
    if (close === -1) return { mistake: `"${text.slice(open)}" has no closing brace` };
    const part = compileValue(text.slice(open + 2, close));
    if ('mistake' in part) return part;
    parts.push(part);
    offset = close + 1;
  }
  return parts.length === 0 ? { mistake: 'a collection needs a name' } : { text, parts };
}

function compileValue(expression: string): TemplatePart | TemplateMistake {
  const bar = expression.indexOf('|');
  const path = compilePath(bar === -1 ? expression : expression.slice(0, bar));
  if ('mistake' in path) return path;
  return { kind: 'value', path, fallback: bar === -1 ? undefined : expression.slice(bar + 1) };
}

function compilePath(path: string): TemplatePath | TemplateMistake {
  const field = fields.find((candidate) => candidate === path);
  if (field !== undefined) return { kind: 'field', field };
  const [head, ...rest] = path.split('.');
  const tail = rest.join('.');
  if (head === 'attributes' && tail !== '') return { kind: 'attribute', attribute: tail };
  if (head === 'labels' && tail !== '') return { kind: 'label', step: tail };
  return { mistake: `"\${${path}}" is none of ${fields.join(', ')}, attributes.NAME, labels.STEP` };
}

/** The steps whose top label the template reads. */
export function stepsOf(template: Template): readonly string[] {
  return template.parts.flatMap((part) => (part.kind === 'value' && part.path.kind === 'label' ? [part.path.step] : []));
}

export type TemplateValues = {
  readonly fields: Readonly<Partial<Record<'collection' | 'source' | 'language', string>>>;
  readonly attributes: Readonly<Record<string, string>>;
  readonly labels: ReadonlyMap<string, string>;
};

/** The collection's name, folded; undefined where a value is empty and has no default, or nothing is left after folding. */
export function renderTemplate(template: Template, values: TemplateValues): string | undefined {
  const name = fillTemplate(template, values);
  return name === undefined ? undefined : foldName(name);
}

/** The text as it is; undefined where a value is empty and has no default. */
export function fillTemplate(template: Template, values: TemplateValues): string | undefined {
  let filled = '';
  for (const part of template.parts) {
    if (part.kind === 'literal') {
      filled += part.text;
      continue;
    }
    const value = valueOf(part.path, values) || part.fallback;
    if (value === undefined) return undefined;
    filled += value;
  }
  return filled;
}

function valueOf(path: TemplatePath, values: TemplateValues): string | undefined {
  switch (path.kind) {
    case 'field':
      return values.fields[path.field];
    case 'attribute':
      return Object.hasOwn(values.attributes, path.attribute) ? values.attributes[path.attribute] : undefined;
    case 'label':
      return values.labels.get(path.step);
  }
}

/** Folds a name to `[a-z0-9._-]{1,100}`: lower case, without accents, every other run of characters a dash. Undefined where nothing is left. */
export function foldName(name: string): string | undefined {
  const folded = name
    .slice(0, 1000)
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, 100)
    .replace(/-+$/, '');
  return folded === '' ? undefined : folded;
}
