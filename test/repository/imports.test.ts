// Imports point one way (ARCHITECTURE.md), and never in a circle.
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const source = resolve(import.meta.dirname, '../../src');

const rank: Readonly<Record<string, number>> = {
  'main.ts': 0, 'index.ts': 0, cli: 1, 'load-plugins.ts': 2.9, 'plugin.ts': 2.95, 'plugin-task.ts': 2.95, 'service.ts': 2, 'heap-limits.ts': 2, 'rebuild-truncated-log.ts': 2, 'repartition.ts': 2, 'compose.ts': 2.5, administration: 2.52, 'clusters-of.ts': 2.55, 'open-access.ts': 2.65, 'stage-groups.ts': 2.75, 'package-directory.ts': 2.99, 'configured-definitions.ts': 2.7, 'model-bindings.ts': 2.7, 'open-transport.ts': 2.7, 'prepare-topics.ts': 2.7, 'open-registry.ts': 2.7, 'open-content-fetcher.ts': 2.7, 'container-credentials.ts': 2.8, 'open-state-store.ts': 2.7, 'open-label-source.ts': 2.6, 'open-label-view.ts': 2.6, 'records-needed.ts': 2.7, 'until-idle.ts': 2.6, 'desired-state.ts': 2.6, 'start-http.ts': 2.5, 'serving.ts': 2, 'wait-for-brokers.ts': 2.7, 'process-context.ts': 2.8, config: 3, transports: 3, stores: 3, references: 3, hub: 3, server: 3, observation: 3, training: 3, stages: 3, views: 3.5,
  tasks: 4, models: 4, clustering: 4, codec: 4, azure: 4, pipeline: 4, core: 5,
};

/** Files that parts of one group may import from each other: ports. */
const ports = new Set(['models/model-port.ts', 'clustering/clustering.ts', 'pipeline/transport.ts', 'pipeline/stage.ts', 'pipeline/file-system.ts', 'pipeline/state-store.ts', 'stages/extract/content-fetcher.ts', 'stages/extract/source-gates.ts', 'server/http-port.ts', 'stages/cluster/cluster-queries.ts']);

async function importsOf(file: string): Promise<string[]> {
  const text = await readFile(join(source, file), 'utf8');
  const specifiers = [...text.matchAll(/(?:^|\n)(?:import|export)[^'"]*?from '(\.[^']+)'|import\('(\.[^']+)'\)|new URL\(\s*[`'"](\.[^`'"]+)/g)];
  return specifiers.map((match) => relative(source, resolve(source, dirname(file), match[1] ?? match[2] ?? match[3] ?? '')));
}

async function sourceFiles(): Promise<string[]> {
  const entries = await readdir(source, { recursive: true });
  return entries.filter((entry) => entry.endsWith('.ts')).sort();
}

function partOf(file: string): string {
  return file.split('/')[0] ?? file;
}

test('imports point one way', async () => {
  const wrong: string[] = [];
  for (const file of await sourceFiles()) {
    const from = partOf(file);
    expect(rank[from], `${file} is in no known part`).toBeDefined();
    for (const imported of await importsOf(file)) {
      if (imported.startsWith('..')) continue;
      const to = partOf(imported);
      const sameGroup = rank[from] === rank[to] && from !== to;
      if ((rank[to] ?? -1) < (rank[from] ?? -1) || (sameGroup && !ports.has(imported))) wrong.push(`${file} -> ${imported}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('no imports in a circle', async () => {
  const graph = new Map<string, readonly string[]>();
  for (const file of await sourceFiles()) graph.set(file, await importsOf(file));
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      return;
    }
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  expect(circles).toEqual([]);
});
