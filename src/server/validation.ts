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

/**
 * What is wrong, with what ajv keeps to its parameters: which field is unknown, and which values there are. Of a union each kind is told, but for those
 * that another type is for, where a kind of the right type says more; of a pattern, what is said of it in words.
 */
export function validationMessage(errors: readonly FastifySchemaValidationError[], part: string): string {
  const unions = errors.filter(({ keyword }) => keyword === 'anyOf');
  const kinds = errors.filter((error) => error.keyword !== 'anyOf');
  const near = kinds.filter(({ keyword, instancePath }) => keyword !== 'type' || !unions.some((union) => union.instancePath === instancePath));
  const described = unions.find((union) => inWords(union) !== undefined);
  const told = near.length > 0 ? near : described !== undefined ? [described] : kinds.length > 0 ? kinds : errors;
  return told.map((error) => `${part}${error.instancePath} ${saidOf(error)}${detailOf(error)}`).join(unions.length > 0 ? ', or ' : ', ');
}

function saidOf(error: FastifySchemaValidationError): string {
  const words = error.keyword === 'pattern' || error.keyword === 'anyOf' ? inWords(error) : undefined;
  return words === undefined ? (error.message ?? 'is not what is taken') : `is not what is taken: ${words}`;
}

function inWords(error: FastifySchemaValidationError): string | undefined {
  const { description } = (error as Partial<ErrorObject>).parentSchema ?? {};
  return typeof description === 'string' ? description : undefined;
}

function detailOf({ params }: FastifySchemaValidationError): string {
  const { additionalProperty, allowedValues } = params as { readonly additionalProperty?: unknown; readonly allowedValues?: unknown };
  if (typeof additionalProperty === 'string') return ` (${additionalProperty})`;
  return Array.isArray(allowedValues) ? ` (${allowedValues.join(', ')})` : '';
}
