import { pino } from 'pino';
import { expect, test } from 'vitest';
import { watchStateHosts } from '../../src/observation/state-hosts.ts';

test('several hosts of the group with the state are told of once, those of another group never', () => {
  const told: object[] = [];
  const logger = pino({ level: 'warn', base: null, timestamp: false }, { write: (line: string) => void told.push(JSON.parse(line) as object) });
  const seen = watchStateHosts(logger, 'shop.labelstream-cluster');
  seen('shop.labelstream-extract', ['/10.0.0.1', '/10.0.0.2']);
  seen('shop.labelstream-cluster', ['/10.0.0.1']);
  seen('shop.labelstream-cluster', []);
  expect(told).toEqual([]);
  seen('shop.labelstream-cluster', ['/10.0.0.2', '/10.0.0.1']);
  seen('shop.labelstream-cluster', ['/10.0.0.2', '/10.0.0.1', '/10.0.0.3']);
  expect(told).toEqual([{ level: 40, group: 'shop.labelstream-cluster', hosts: ['/10.0.0.1', '/10.0.0.2'], msg: expect.stringContaining('state.kind: blob') as string }]);
});
