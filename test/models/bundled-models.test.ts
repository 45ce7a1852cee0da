/** Whatever is bundled must stand up to `labelstream models verify`, and be small enough to be cloned without a thought. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { verifyModel } from '../../src/models/verify.ts';

const root = join(import.meta.dirname, '../../models');
const names = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

test.each(names)('%s is verified', async (name) => {
  const report = await verifyModel(join(root, name), { rounds: 2 });
  expect(report.checks.filter(({ ok }) => !ok)).toEqual([]);
  expect(report).toMatchObject({ ok: true, name });
});

test('all of them together have at most 12 MB', () => {
  const sizes = readdirSync(root, { recursive: true, withFileTypes: true }).map((entry) => (entry.isFile() ? statSync(join(entry.parentPath, entry.name)).size : 0));
  expect(names.length).toBeGreaterThan(0);
  expect(sizes.reduce((total, size) => total + size, 0)).toBeLessThanOrEqual(12_000_000);
});
