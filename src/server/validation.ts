/** Requests are validated by ajv, as Fastify does it, but for what it would change in bodies: nothing there is made to fit, and nothing unknown is dropped silently. */
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import type { FastifySchemaCompiler } from 'fastify';

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
