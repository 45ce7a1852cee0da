/** An interface for tests of what holds for all of them. */
import { z } from 'zod';
import type { Api } from '../../src/server/http-port.ts';
import { schemaOf } from '../../src/server/schemas.ts';

const body = schemaOf(z.strictObject({ text: z.string().min(1), count: z.int().default(1) }));
const answer = schemaOf(z.strictObject({ text: z.string(), count: z.int() }));

export const echo: Api = {
  name: 'echo',
  description: 'Gives back what it gets.',
  add: (server) => {
    server.post('/echo', { config: { scope: 'predict' }, schema: { tags: ['echo'], summary: 'Echo', body, response: { 200: answer } } }, ({ body: given }) => given);
    server.get('/broken', { config: { scope: 'read' } }, () => {
      throw new TypeError('cannot read properties of undefined, in /secret/place');
    });
  },
};

export const json = { 'content-type': 'application/json' };

export async function post(url: string, content: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}): Promise<readonly [number, Record<string, unknown>]> {
  const response = await fetch(`${url}/echo`, { method: 'POST', headers: { ...json, ...headers }, body: content });
  return [response.status, (await response.json()) as Record<string, unknown>];
}
