import { pino } from 'pino';
import { expect, test } from 'vitest';
import { parseConfiguration } from '../../src/config/load.ts';
import { watchStateHosts } from '../../src/observation/state-hosts.ts';
import { keepsStateOnItsHost } from '../../src/open-transport.ts';

test('several hosts of the group with the state are told of once, those of another group are not asked for', () => {
  const told: object[] = [];
  const logger = pino({ level: 'warn', base: null, timestamp: false }, { write: (line: string) => void told.push(JSON.parse(line) as object) });
  const seen = watchStateHosts(logger, 'shop.labelstream-cluster');
  expect(seen('shop.labelstream-extract')).toBeUndefined();
  seen('shop.labelstream-cluster')?.(['/10.0.0.1']);
  seen('shop.labelstream-cluster')?.([]);
  expect(told).toEqual([]);
  seen('shop.labelstream-cluster')?.(['/10.0.0.2', '/10.0.0.1']);
  expect(seen('shop.labelstream-cluster')).toBeUndefined();
  expect(told).toEqual([{ level: 40, group: 'shop.labelstream-cluster', hosts: ['/10.0.0.1', '/10.0.0.2'], msg: expect.stringContaining('state.kind: blob') as string }]);
});

test.each([
  ['kafka', '', true],
  ['kafka', 'state: { kind: shared-directory }', false],
  ['kafka', 'state: { kind: blob, containerUrl: "https://account.blob.core.windows.net/snapshots" }', false],
  ['log', '', false],
])('hosts are looked for where each has snapshots of its own: %s %s', (transport, state, expected) => {
  const brokers = transport === 'kafka' ? ', brokers: ["a:9092"]' : '';
  const { configuration, mistakes } = parseConfiguration(`transport: { kind: ${transport}${brokers} }\n${state}\n`, { file: '/a.yaml', environment: {}, assignments: [], tasks: [] });
  expect(mistakes).toEqual([]);
  expect(keepsStateOnItsHost(configuration!)).toBe(expected);
});
