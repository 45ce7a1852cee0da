// What operators see of the wait for a schema registry.
import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import { parseConfiguration } from '../src/config/load.ts';
import { openRegistry } from '../src/open-registry.ts';
import { createProcessContext } from '../src/process-context.ts';

test('the process is not ready while somebody waits for the registry, and no longer: who left does not wait', async () => {
  const context = await createProcessContext(pino({ level: 'silent' }));
  context.readiness.started();
  const { configuration } = parseConfiguration('registry: { urls: ["http://127.0.0.1:1"] }', { file: '/c.yaml', environment: {}, assignments: [], tasks: [] });
  if (configuration === undefined) throw new Error('invalid');
  const closing = new AbortController();
  const opened = await openRegistry(configuration, context, { patience: 'unbounded', signal: closing.signal });
  const gauge = async (): Promise<string | undefined> => /^labelstream_schema_registry_unavailable (.*)$/m.exec(await context.metrics.registry.metrics())?.[1];
  const leaving = new AbortController();
  const asked = opened?.registry.schemaOf(1, leaving.signal).catch((error: unknown) => String(error));
  await vi.waitUntil(() => !context.readiness.state().ready);
  expect(context.readiness.state().reasons).toEqual([expect.stringMatching(/^waiting for the schema registry: .*ECONNREFUSED/)]);
  expect(await gauge()).toBe('1');
  leaving.abort(new Error('the partition went elsewhere'));
  expect(await asked).toContain('went elsewhere');
  expect(context.readiness.state()).toMatchObject({ ready: true, reasons: [] });
  expect(await gauge()).toBe('0');
});
