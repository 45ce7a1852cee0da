/** Zod types as the JSON Schemas that requests are validated by and answers written by, and that the OpenAPI document shows: one source for all three. */
import { z } from 'zod';

declare const valueType: unique symbol;

/** A JSON Schema, and the type of what it describes. */
export type Schema<Value = unknown> = { readonly [keyword: string]: unknown; readonly [valueType]?: Value };

/** Of draft 7, which ajv reads; what zod makes of it there is the same in OpenAPI 3.1. Transformations of zod are not applied. */
export function schemaOf<Type extends z.ZodType>(type: Type): Schema<z.output<Type>> {
  const schema: Record<string, unknown> = { ...z.toJSONSchema(type, { target: 'draft-7', io: 'input' }) };
  delete schema['$schema'];
  return schema;
}

/** The parameters of a path such as `/api/models/:model/start`. */
export function paramsOf(url: string): Schema {
  return schemaOf(z.strictObject(Object.fromEntries([...url.matchAll(/:([a-z]+)/g)].map(([, name = '']) => [name, z.string().min(1)]))));
}
