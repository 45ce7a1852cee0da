/** Clients that each keep a connection, and send a request as soon as the one before is answered. */
import { Pool } from 'undici';

export type Request = { readonly path: string; readonly contentType: string; readonly body: Buffer | string };

export type Clients = {
  /** Sends each of the requests once. @returns the answers, in their order. */
  readonly send: (requests: readonly Request[]) => Promise<readonly unknown[]>;
  /** Goes on until the time is over. */
  readonly during: (requests: readonly Request[], durationMs: number) => Promise<void>;
  /** Since the beginning. */
  readonly answered: () => number;
  readonly close: () => Promise<void>;
};

export function createClients(url: string, key: string, count: number): Clients {
  let answered = 0;
  const pool = new Pool(url, { connections: count, pipelining: 1 });
  const ask = async ({ path, contentType, body }: Request): Promise<unknown> => {
    const response = await pool.request({ method: 'POST', path, body, headers: { 'content-type': contentType, 'x-api-key': key } });
    const answer = await response.body.json();
    if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode} ${JSON.stringify(answer)}`);
    answered += 1;
    return answer;
  };
  const each = (client: () => Promise<void>): Promise<unknown> => Promise.all(Array.from({ length: count }, client));
  return {
    send: async (requests) => {
      const answers: unknown[] = [];
      let next = 0;
      await each(async () => {
        while (next < requests.length) {
          const index = next++;
          answers[index] = await ask(requests[index]!);
        }
      });
      return answers;
    },
    during: async (requests, durationMs) => {
      const untilMs = performance.now() + durationMs;
      let next = 0;
      await each(async () => {
        while (performance.now() < untilMs) await ask(requests[next++ % requests.length]!);
      });
    },
    answered: () => answered,
    close: () => pool.close(),
  };
}
