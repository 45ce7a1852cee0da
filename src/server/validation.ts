/** Requests are validated by ajv, as Fastify does it, but for what it would change in bodies: nothing there is made to fit, and nothing unknown is dropped silently. */
import { Ajv, type ErrorObject } from 'ajv';
import addFormats from 'ajv-formats';
import type { FastifySchemaCompiler, FastifySchemaValidationError } from 'fastify';

/** Verbose: what is said of a pattern is in its schema. */
const common = { useDefaults: true, allErrors: false, strict: false, verbose: true } as const;

/** Queries, parameters and headers are text: numbers and lists are read from it. */
export function createValidatorCompiler(): FastifySchemaCompiler<unknown> {
  const bodies = withFormats(new Ajv({ ...common, coerceTypes: false }));
  const texts = withFormats(new Ajv({ ...common, coerceTypes: 'array' }));
  return ({ schema, httpPart }) => (httpPart === 'body' ? bodies : texts).compile(schema as object);
}

function withFormats(ajv: Ajv): Ajv {
  addFormats.default(ajv);
  return ajv;
}

/** What is wrong, with what ajv keeps to its parameters: which field is unknown, and which values there are. Of a union each kind is told. */
export function validationMessage(errors: readonly FastifySchemaValidationError[], part: string): string {
  const union = errors.find((error) => error.keyword === 'anyOf' && inWords(error) !== undefined);
  if (union !== undefined) return `${part}${union.instancePath} ${inWords(union)}`;
  const kinds = errors.filter(({ keyword }) => keyword !== 'anyOf');
  const told = kinds.length === 0 ? errors : kinds;
  return told.map((error) => `${part}${error.instancePath} ${(error.keyword === 'pattern' ? inWords(error) : undefined) ?? error.message ?? 'is not what is taken'}${detailOf(error)}`).join(kinds.length < errors.length ? ', or ' : ', ');
}

/** Where there are some: a pattern tells a person nothing, and the branches of a union little. */
function inWords(error: FastifySchemaValidationError): string | undefined {
  const { description } = (error as Partial<ErrorObject>).parentSchema ?? {};
  return typeof description === 'string' ? `is not what is taken: ${description}` : undefined;
}

function detailOf({ params }: FastifySchemaValidationError): string {
  const { additionalProperty, allowedValues } = params as { readonly additionalProperty?: unknown; readonly allowedValues?: unknown };
  if (typeof additionalProperty === 'string') return ` (${additionalProperty})`;
  return Array.isArray(allowedValues) ? ` (${allowedValues.join(', ')})` : '';
}
