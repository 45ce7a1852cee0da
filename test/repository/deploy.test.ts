// The compose file and what it mounts hold together, also where no container engine can try them.
import { access, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { expect, test } from 'vitest';
import { loadConfiguration } from '../../src/config/load.ts';
import { tasks } from '../../src/tasks/registry.ts';

const root = resolve(import.meta.dirname, '../..');

test('what compose.yaml mounts and runs is there', async () => {
  const { services } = parse(await readFile(join(root, 'compose.yaml'), 'utf8')) as { services: Record<string, { volumes?: string[]; command?: string[] }> };
  for (const { volumes = [] } of Object.values(services)) {
    for (const volume of volumes.filter((each) => each.startsWith('./'))) await access(join(root, volume.split(':')[0] ?? ''));
  }
  expect(services['labelstream']?.command?.join(' ')).toContain('deploy/labelstream.yaml');
});

test.each(['deploy/labelstream.yaml', 'examples/banknotes.yaml', 'examples/news.yaml'])('%s is a valid configuration', async (file) => {
  const loaded = await loadConfiguration({ file: join(root, file), environment: {}, assignments: [], tasks: [...tasks.values()] });
  expect(loaded.mistakes).toEqual([]);
});
