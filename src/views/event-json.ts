/** Events as JSON has words for them: 64-bit numbers as text, bytes in base64; the rest as the Avro schema says it. */

export type EventJson = string | number | boolean | null | readonly EventJson[] | { readonly [field: string]: EventJson };

export function eventJson(value: unknown): EventJson {
  if (typeof value === 'bigint') return String(value);
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (Array.isArray(value)) return value.map(eventJson);
  if (typeof value !== 'object' || value === null) return value as EventJson;
  return Object.fromEntries(Object.entries(value).map(([field, part]) => [field, eventJson(part)]));
}
