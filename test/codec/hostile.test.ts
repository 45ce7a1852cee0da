// Hostile messages in a process with 128 MB of heap, which does not survive what the guard is there to stop.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openCodec } from '../../src/codec/codec.ts';
import { hostileKinds, hostileMessages } from './hostile-messages.ts';
import { refusalOf } from './refusal.ts';

const full = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? Date.now() % 2 ** 31);
const codec = await openCodec();

/** What the child printed, and whether it came to its end: it may die or have to be killed. */
function inSmallProcess(...parameters: readonly string[]): Promise<{ readonly printed: string; readonly ended: boolean }> {
  const script = fileURLToPath(new URL('hostile-child.ts', import.meta.url));
  const child = spawn(process.execPath, ['--max-old-space-size=128', script, ...parameters], { timeout: 60_000, killSignal: 'SIGKILL' });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ printed: Buffer.concat(chunks).toString().trim(), ended: code === 0 }));
  });
}

describe('seven bytes that claim 2^31 strings', () => {
  test('end a process that gives them to avsc', async () => {
    expect(await inSmallProcess('avsc')).toEqual({ printed: 'ready', ended: false });
  }, 90_000);

  test('are refused by the guard', async () => {
    expect(await inSmallProcess('guarded')).toEqual({ printed: '7 LS_CODEC_MALFORMED', ended: true });
  });
});

test(`hostile messages neither end nor fill the process, seed ${String(seed)}`, async () => {
  const count = full ? 10_000 : 1_000;
  expect(await inSmallProcess('codec', String(seed), String(count))).toEqual({ printed: String(count), ended: true });
}, 120_000);

test(`every kind is refused with a stable code, seed ${String(seed)}`, () => {
  const verdicts = new Map<string, Set<string>>(hostileKinds.map((kind) => [kind, new Set()]));
  for (const { kind, bytes } of hostileMessages(seed, hostileKinds.length * 20)) {
    verdicts.get(kind)?.add(refusalOf(() => codec.decode(bytes))?.code ?? 'accepted');
  }
  const only = (kind: string) => [...(verdicts.get(kind) ?? [])];
  for (const kind of ['empty', 'short-header', 'json', 'deep-json']) expect(only(kind)).toEqual(['LS_CODEC_FORMAT']);
  // Some begin with Confluent's magic byte.
  for (const code of [...only('random-bytes'), ...only('wrong-marker')]) expect(['LS_CODEC_FORMAT', 'LS_REGISTRY_NOT_CONFIGURED']).toContain(code);
  expect(only('wrong-schema-id')).toEqual(['LS_CODEC_SCHEMA_UNKNOWN']);
  expect(only('too-many-items')).toEqual(['LS_CODEC_LIMIT']);
  for (const kind of ['array-bomb', 'map-bomb', 'negative-block-bomb', 'absurd-string-length', 'deep-nesting', 'invalid-utf8']) {
    expect(only(kind)).toEqual(['LS_CODEC_MALFORMED']);
  }
  for (const codes of verdicts.values()) expect(codes.has('accepted')).toBe(false);
});

test('the same seed gives the same messages', () => {
  expect(hostileMessages(7, 200)).toEqual(hostileMessages(7, 200));
});
