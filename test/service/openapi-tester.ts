/** A tester of OpenAPI documents (schemathesis), told what a server holds: what it makes up by itself names nothing that is there, and ends before the code that is to be tried. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

type JsonSchema = { readonly [keyword: string]: unknown };
type Parameter = { readonly name: string; readonly in: string; readonly schema: JsonSchema };
type MediaType = { readonly schema: JsonSchema; readonly examples?: object };
type Operation = { readonly parameters?: readonly Parameter[]; readonly requestBody?: { readonly content: Readonly<Record<string, MediaType>> } };
export type OpenApiDocument = { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> };

/** What there is for the operations whose name, such as `GET /items/{item}`, fits. */
export type Holding = {
  readonly of: RegExp;
  /** Of parameters, by name. What does not fit the schema of one is sent, too, where the tester tries what is wrong. */
  readonly parameters?: Readonly<Record<string, readonly unknown[]>>;
  /** Of what stands in the body under a name, at any depth. */
  readonly fields?: Readonly<Record<string, readonly string[]>>;
  /** Whole bodies that are right, by media type. */
  readonly bodies?: Readonly<Record<string, readonly unknown[]>>;
};

const nameOf = (method: string, path: string): string => `${method.toUpperCase()} ${path}`;

export function operationsOf({ paths }: OpenApiDocument): readonly string[] {
  return Object.entries(paths).flatMap(([path, operations]) => Object.keys(operations).map((method) => nameOf(method, path)));
}

/** The document, where what is asked for is among what is held. What is answered stays as it is documented. */
export function fitted(document: OpenApiDocument, holdings: readonly Holding[]): OpenApiDocument {
  const unused = holdings.filter(({ of }) => !operationsOf(document).some((name) => of.test(name)));
  if (unused.length > 0) throw new Error(`no operation is called ${unused.map(({ of }) => String(of)).join(', ')}`);
  const paths = mapped(document.paths, (operations, path) =>
    mapped(operations, (operation, method) => holdings.filter(({ of }) => of.test(nameOf(method, path))).reduce(fittedOperation, operation)),
  );
  return { ...document, paths };
}

function fittedOperation(operation: Operation, { parameters: held = {}, fields = {}, bodies = {} }: Holding): Operation {
  const parameters = operation.parameters?.map((parameter) => (Object.hasOwn(held, parameter.name) ? { ...parameter, schema: { enum: held[parameter.name] } } : { ...parameter, schema: withFields(parameter.schema, {}) }));
  const content = mapped(operation.requestBody?.content ?? {}, ({ schema, examples = {} }, mediaType) => {
    const given = bodies[mediaType] ?? [];
    const all = { ...examples, ...Object.fromEntries(given.map((value, index) => [`held${Object.keys(examples).length + index}`, { value }])) };
    return { schema: withFields(schema, fields), ...(Object.keys(all).length === 0 ? {} : { examples: all }) };
  });
  return { ...operation, ...(parameters && { parameters }), ...(operation.requestBody && { requestBody: { ...operation.requestBody, content } }) };
}

/** In lists, but for vectors: a thousand images would keep a model busy for minutes, and a thousand names fit into no line of a request. */
const itemsMax = 4;

/** Texts under the names are those that are held. */
function withFields(schema: JsonSchema, fields: Readonly<Record<string, readonly string[]>>): JsonSchema {
  return mapped(schema, (part, keyword) => {
    if (keyword === 'maxItems') return (schema['items'] as JsonSchema | undefined)?.['type'] === 'number' ? part : Math.min(part as number, itemsMax);
    if (keyword === 'properties') return mapped(part as Readonly<Record<string, JsonSchema>>, (property, name) => withFields(Object.hasOwn(fields, name) ? withTexts(property, fields[name] ?? []) : property, fields));
    if (Array.isArray(part)) return part.map((each: unknown) => (isSchema(each) ? withFields(each, fields) : each));
    return isSchema(part) ? withFields(part, fields) : part;
  });
}

function withTexts(schema: JsonSchema, texts: readonly string[]): JsonSchema {
  if (schema['type'] === 'string') return { ...schema, enum: texts };
  return mapped(schema, (part, keyword) => {
    if (keyword === 'anyOf') return (part as readonly JsonSchema[]).map((branch) => withTexts(branch, texts));
    return keyword === 'items' ? withTexts(part as JsonSchema, texts) : part;
  });
}

const isSchema = (value: unknown): value is JsonSchema => typeof value === 'object' && value !== null && !Array.isArray(value);

function mapped<Value, Result>(object: Readonly<Record<string, Value>>, of: (value: Value, name: string) => Result): Record<string, Result> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, of(value, name)]));
}

/** No GET where POST alone is taken: that asks for the item of this name, which there is not. */
const methodsOfItems = `
[[operations]]
include-name = "POST /items/forget"
phases.coverage.unexpected-methods = ["PUT", "PATCH", "DELETE"]
`;

const checks = 'not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method';

export type TesterOptions = { readonly python: string; readonly directory: string; readonly url: string; readonly seed: number; readonly examplesMax: number };

/** What it says: it ends with `N generated, N passed` where it finds nothing wrong. */
export async function runTester(document: OpenApiDocument, { python, directory, url, seed, examplesMax }: TesterOptions): Promise<string> {
  const file = join(directory, 'openapi.json');
  await writeFile(file, JSON.stringify(document));
  const settings = join(directory, 'schemathesis.toml');
  await writeFile(settings, methodsOfItems);
  const parameters = ['--config-file', settings, 'run', file, '--url', url, '--checks', checks, '--phases', 'examples,coverage,fuzzing', '--max-examples', String(examplesMax), '--seed', String(seed), '--request-timeout', '30', '--no-color'];
  // It ends with another code where it finds something.
  const { stdout } = await promisify(execFile)(join(python, '../schemathesis'), parameters, { cwd: directory, maxBuffer: 64 * 1024 * 1024 }).catch((error: unknown) => error as { readonly stdout: string });
  return stdout;
}

/** How often each operation was answered with which status, by the metrics of the server: `POST /predict` -> 200 -> 7. */
export function answersIn(metrics: string): ReadonlyMap<string, ReadonlyMap<number, number>> {
  const answers = new Map<string, Map<number, number>>();
  for (const [, method = '', route = '', status, count] of metrics.matchAll(/^labelstream_http_request_duration_seconds_count\{method="([^"]*)",route="([^"]*)",status="(\d+)"\} (\d+)$/gm)) {
    const name = nameOf(method, route.replaceAll(/:([A-Za-z]+)/g, '{$1}'));
    const of = answers.get(name) ?? new Map<number, number>();
    answers.set(name, of.set(Number(status), Number(count)));
  }
  return answers;
}
