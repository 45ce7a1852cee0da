import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RegistryCredentials } from '../../../src/codec/registry/registry-request.ts';
import { createSchemaRegistry, type SchemaRegistry, type SchemaRegistryOptions } from '../../../src/codec/registry/schema-registry.ts';
import { ownSchemaDirectory } from '../../../src/codec/schemas.ts';
import type { Clock } from '../../../src/core/clock.ts';
import { LabelstreamError } from '../../../src/core/errors/error.ts';
import type { TextEvent } from '../../../src/core/events.generated.ts';
import { systemClock } from '../../../src/pipeline/system-clock.ts';

export const hurry = 100;

/** Real time, a hundred times as fast: waits are over soon, and what they are for still happens. */
export const hastyClock: Clock = {
  nowMs: systemClock.nowMs,
  elapsedMs: () => systemClock.elapsedMs() * hurry,
  sleep: (durationMs, signal) => systemClock.sleep(durationMs / hurry, signal),
};

export type Alert = { readonly code: string; readonly message: string } | 'available';

export type TestClient = { readonly registry: SchemaRegistry; readonly alerts: Alert[]; readonly closing: AbortController };

/** The time limit of a request is a second of real time. */
export function clientOf(urls: string | readonly string[], options: Partial<SchemaRegistryOptions> & { readonly credentials?: RegistryCredentials } = {}): TestClient {
  const alerts: Alert[] = [];
  const closing = new AbortController();
  const { credentials = { secrets: [] }, ...rest } = options;
  const registry = createSchemaRegistry({
    urls: [urls].flat(),
    readCredentials: () => Promise.resolve(credentials),
    requestTimeoutMs: 1_000 * hurry,
    patience: 'unbounded',
    clock: hastyClock,
    random: Math.random,
    signal: closing.signal,
    observer: {
      unavailable: (error) => alerts.push({ code: codeOf(error), message: error instanceof Error ? error.message : String(error) }),
      available: () => alerts.push('available'),
      abandoned: () => undefined,
    },
    ...rest,
  });
  return { registry, alerts, closing };
}

function codeOf(error: unknown): string {
  return error instanceof LabelstreamError ? error.code : String(error);
}

/** The code with which a promise rejects. */
export async function rejectionCode(promise: Promise<unknown> | undefined): Promise<string> {
  return Promise.resolve(promise).then(
    () => 'resolved',
    (error: unknown) => codeOf(error),
  );
}

export const never = new AbortController().signal;

export async function ownSchemaText(name: string): Promise<string> {
  return readFile(join(ownSchemaDirectory, `labelstream.v1.${name}.avsc`), 'utf8');
}

export function confluentValue(id: number, body: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeInt32BE(id, 1);
  return Buffer.concat([header, body]);
}

export const textEvent: TextEvent = {
  id: 'doc-1', source: 'tests', occurredAt: 1_700_000_000_000, text: 'A text.', language: null, tasks: [], collection: null, attributes: {}, deleted: false,
};
