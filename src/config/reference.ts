/** What people and editors read about the settings, rendered from their declaration. */
import { z } from 'zod';
import { overridableSettings } from './overrides.ts';
import { pathText } from './mistakes.ts';
import { settings } from './settings.ts';

type JsonSchema = {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly oneOf?: readonly JsonSchema[];
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
};

/** JSON Schema of a configuration file, for editors. */
export function configurationJsonSchema(): string {
  return `${JSON.stringify({ title: 'labelstream configuration', ...z.toJSONSchema(settings, { io: 'input' }) }, undefined, 2)}\n`;
}

/** The reference page: one row per setting. */
export function configurationReference(): string {
  const rows: string[] = [];
  const variables = new Map(overridableSettings().map(({ path, variable }) => [path.join('.'), variable]));
  collectRows(z.toJSONSchema(settings, { io: 'input' }) as JsonSchema, [], rows, variables);
  return [
    '# Configuration reference',
    '',
    'Generated from `src/config/settings.ts` by `npm run generate`; do not edit. Editors read `docs/configuration.schema.json`: put',
    '`# yaml-language-server: $schema=../docs/configuration.schema.json` on the first line of a file.',
    '',
    'A value may hold `${NAME}` or `${NAME:-default}`, replaced from the environment by the text as it is: YAML is not read in it. A setting with',
    'a variable below can be set by it, and by `--set PATH=VALUE` (a list as `a,b`); a flag wins over the environment, the environment over the file. `[]` stands for each element of a',
    'list, `*` for each key of a map. Sizes are in bytes, times in milliseconds, as the names say. Unknown keys are refused.',
    '',
    '| setting | value | default | meaning | environment |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

function collectRows(schema: JsonSchema, path: readonly string[], rows: string[], variables: ReadonlyMap<string, string>): void {
  for (const variant of [schema, ...(schema.oneOf ?? [])]) {
    const kind = variant.properties?.['kind']?.const;
    for (const [key, child] of Object.entries(variant.properties ?? {})) {
      const childPath = [...path, key];
      const ofKind = kind === undefined || key === 'kind' ? '' : `Of kind \`${kind}\`: `;
      rows.push(row({ ...child, description: ofKind + (child.description ?? '') }, childPath, variant.required?.includes(key) ?? false, variables));
      collectRows(child, childPath, rows, variables);
    }
  }
  if (schema.items !== undefined) collectRows(schema.items, [...path.slice(0, -1), `${path.at(-1) ?? ''}[]`], rows, variables);
  if (typeof schema.additionalProperties === 'object') collectRows(schema.additionalProperties, [...path, '*'], rows, variables);
}

function row(schema: JsonSchema, path: readonly string[], required: boolean, variables: ReadonlyMap<string, string>): string {
  const text = pathText(path);
  const fallback = required ? 'required' : isPlain(schema.default) ? `\`${JSON.stringify(schema.default)}\`` : '';
  const variable = variables.get(path.join('.'));
  return `| \`${text}\` | ${valueText(schema)} | ${fallback} | ${(schema.description ?? '').replaceAll('|', '\\|')} | ${variable === undefined ? '' : `\`${variable}\``} |`;
}

function isPlain(value: unknown): boolean {
  return value !== undefined && (typeof value !== 'object' || (Array.isArray(value) && value.length === 0));
}

function valueText(schema: JsonSchema): string {
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (schema.type === 'array') return 'list';
  if (schema.type === 'object' || schema.oneOf !== undefined) return 'map';
  const low = schema.minimum ?? (schema.exclusiveMinimum === undefined ? undefined : schema.exclusiveMinimum + (schema.type === 'integer' ? 1 : 0));
  const high = schema.maximum === Number.MAX_SAFE_INTEGER ? undefined : schema.maximum;
  const range = low === undefined && high === undefined ? '' : high === undefined ? ` from ${low ?? 0}` : ` ${low ?? 0} to ${high}`;
  return `${schema.type ?? 'value'}${schema.type === 'number' && schema.exclusiveMinimum !== undefined ? ` above ${schema.exclusiveMinimum}` : range}`;
}
