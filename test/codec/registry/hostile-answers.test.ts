// Whatever answers in the place of a registry: it is waited for, or what it said is of no use. Never an error that nobody knows, and never no end.
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openCodec, type Codec } from '../../../src/codec/codec.ts';
import type { SchemaRegistry } from '../../../src/codec/registry/schema-registry.ts';
import { LabelstreamError } from '../../../src/core/errors/error.ts';
import { textBody } from '../avro-bytes.ts';
import { refusalOf } from '../refusal.ts';
import { seededRandom } from '../seeded-random.ts';
import { hostileAnswer, type HostileAnswer } from './hostile-answers.ts';
import { clientOf, confluentValue, hastyClock, hurry, never, ownSchemaText, rejectionCode } from './registry-fixture.ts';

vi.setConfig({ testTimeout: process.env['LABELSTREAM_TEST_SCALE'] === 'full' ? 900_000 : 60_000 });

const rounds = process.env['LABELSTREAM_TEST_SCALE'] === 'full' ? 30_000 : 300;

let answer: () => HostileAnswer;
const server = createServer((socket: Socket) => {
  socket.on('error', () => undefined);
  socket.once('data', () => {
    const { bytes, then } = answer();
    socket.write(bytes, () => {
      if (then === 'reset') socket.resetAndDestroy();
      else if (then === 'end') socket.end();
    });
  });
});
let url: string;
let codec: Codec;
let registry: SchemaRegistry;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const current: SchemaRegistry = { schemaOf: async (...asked) => registry.schemaOf(...asked), idOf: async (...asked) => registry.idOf(...asked) };
  const settings = { subjectStrategy: 'record', topicPrefix: '', encode: 'single-object', registerSchemas: false, cacheSchemasMax: 16, negativeCacheMs: 1, clock: hastyClock } as const;
  codec = await openCodec({ registry: { registry: current, ...settings } });
});
afterAll(() => {
  server.close();
});

/** Asks once, so that what would be waited for is told. */
function newClient(): void {
  registry = clientOf(url, { patience: 'once', requestTimeoutMs: 300 * hurry }).registry;
}

async function failureOf(promise: Promise<unknown> | undefined): Promise<unknown> {
  return Promise.resolve(promise).then(() => undefined, (error: unknown) => error);
}

test('every answer is waited for, or is of no use, or is a schema', async () => {
  const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? Date.now() % 2 ** 31);
  const random = seededRandom(seed);
  const valid = await ownSchemaText('TextEvent');
  const seen: Record<string, number> = {};
  for (let round = 0; round < rounds; round++) {
    const sent: string[] = [];
    answer = () => {
      const next = hostileAnswer(random, valid);
      sent.push(next.bytes.toString('latin1', 0, 600));
      return next;
    };
    const told = (): string => `seed ${seed}, round ${round}: ${sent.join('\n---\n')}`;
    newClient();
    const value = confluentValue(round, textBody());
    const failure = await failureOf(codec.prepareDecode(value));
    if (failure === undefined) {
      const refusal = refusalOf(() => codec.decode(value));
      seen[refusal?.code ?? 'decoded'] = (seen[refusal?.code ?? 'decoded'] ?? 0) + 1;
      expect(refusal?.description.cause ?? 'input', told()).toBe('input');
    } else {
      expect(failure, told()).toBeInstanceOf(LabelstreamError);
      expect(failure, told()).toMatchObject({ retryable: true, code: expect.stringMatching(/^LS_REGISTRY_(UNAVAILABLE|ANSWER|DENIED)$/) as string });
      seen['waited for'] = (seen['waited for'] ?? 0) + 1;
    }
    newClient();
    const code = await rejectionCode(registry.idOf('s', '"int"', random.pick(['register', 'find']), never));
    expect(code, told()).toMatch(/^(resolved|LS_REGISTRY_(UNAVAILABLE|ANSWER|NOT_REGISTERED|REGISTRATION))$/);
  }
  for (const kind of ['decoded', 'waited for', 'LS_REGISTRY_SCHEMA_UNKNOWN', 'LS_REGISTRY_SCHEMA_UNREADABLE']) expect(seen, `seed ${seed}: ${JSON.stringify(seen)}`).toHaveProperty(kind);
});
