// What docs/operations.md says of metrics and alerts is what there is, and the alerts ask for metrics that there are.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { expect, test } from 'vitest';
import { createMetrics } from '../../src/observation/metrics.ts';
import { root } from './documents.ts';

const page = await readFile(join(root, 'docs/operations.md'), 'utf8');
const dashboardText = await readFile(join(root, 'deploy/grafana/labelstream.json'), 'utf8');
const alertsText = await readFile(join(root, 'deploy/alerts.yaml'), 'utf8');

async function metricTypes(): Promise<ReadonlyMap<string, string>> {
  const metrics = createMetrics('0');
  metrics.lag(() => Promise.resolve([]));
  metrics.mainLoopStall(() => 0);
  metrics.frozenCollections(() => 0);
  metrics.pendingGenerations(() => 0);
  metrics.kafka({ elapsedMs: () => 0 });
  return new Map((await metrics.registry.getMetricsAsJSON()).map(({ name, type }) => [name, String(type)]));
}

/** Those that the library makes by itself. */
const isGeneral = (name: string): boolean => /^labelstream_(process_(?!duration)|nodejs_)/.test(name);

test('every metric is explained, with its type, and none that there is not', async () => {
  const types = await metricTypes();
  const own = [...types].filter(([name]) => !isGeneral(name));
  expect(own.length).toBeGreaterThan(20);
  const explained = [...page.matchAll(/^\| `(labelstream_\w+)` \| (\w+) \| \S.* \|$/gm)].map(([, name, type]) => [name, type]);
  expect(explained.sort()).toEqual(own.sort());
});

test.each([['alerts', alertsText], ['dashboard', dashboardText]])('the %s ask for metrics that there are', async (_what, text) => {
  const types = await metricTypes();
  const asked = [...text.matchAll(/\blabelstream_\w+/g)].map(([name]) => name);
  expect(asked.length).toBeGreaterThan(7);
  expect(asked.filter((name) => !types.has(name.replace(/_(bucket|sum|count)$/, '')))).toEqual([]);
});

test('every alert says what to do about it', () => {
  const { groups } = parse(alertsText) as { groups: { rules: { alert: string; labels: { severity: string }; annotations: { summary: string } }[] }[] };
  const alerts = groups.flatMap(({ rules }) => rules);
  expect([...page.matchAll(/^\| `(Labelstream\w+)` \| \S/gm)].map(([, name]) => name)).toEqual(alerts.map(({ alert }) => alert));
  for (const { labels, annotations } of alerts) expect([labels.severity, annotations.summary]).toEqual([expect.stringMatching(/^(critical|warning)$/), expect.stringMatching(/^\S/)]);
});
