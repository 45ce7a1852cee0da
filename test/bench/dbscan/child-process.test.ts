import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startChild } from '../../../bench/dbscan/child-process.ts';
import type { EchoCommands } from './echo-child.ts';

const entry = join(import.meta.dirname, 'echo-child.ts');

test('a child answers, tells its failures, and goes on after them', async () => {
  const child = startChild<EchoCommands>(entry);
  const argument = { sequence: 3n, values: Float32Array.of(1, 2), none: undefined };
  expect(await child.call('echo', argument)).toEqual(argument);
  await expect(child.call('fail', 'no such part')).rejects.toThrow('no such part');
  expect(await child.call('echo', 'again')).toBe('again');
  await child.close();
});

test('who waits for a child that ends is told, and so is who asks it afterwards', async () => {
  const child = startChild<EchoCommands>(entry);
  await expect(child.call('end', 3)).rejects.toThrow('echo-child.ts ended: 3');
  await expect(child.call('echo', 1)).rejects.toThrow();
  await child.close();
});
