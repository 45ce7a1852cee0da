/** Requests are validated by ajv, as Fastify does it, but for what it would change in bodies: nothing there is made to fit, and nothing unknown is dropped silently. */
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import type { FastifySchemaCompiler, FastifySchemaValidationError } from 'fastify';

const common = { useDefaults: true, allErrors: false, strict: false } as const;

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
  const kinds = errors.filter(({ keyword }) => keyword !== 'anyOf');
  const told = kinds.length === 0 ? errors : kinds;
  return told.map((error) => `${part}${error.instancePath} ${error.message ?? 'is not what is taken'}${detailOf(error)}`).join(kinds.length < errors.length ? ', or ' : ', ');
}

function detailOf({ params }: FastifySchemaValidationError): string {
  const { additionalProperty, allowedValues } = params as { readonly additionalProperty?: unknown; readonly allowedValues?: unknown };
  if (typeof additionalProperty === 'string') return ` (${additionalProperty})`;
  return Array.isArray(allowedValues) ? ` (${allowedValues.join(', ')})` : '';
}
