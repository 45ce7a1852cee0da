// A configuration proposes; what the fold would refuse is refused at the start, so that no configuration can put features into the log that stop CLUSTER.
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { demoTexts } from '../../src/cli/demo/demo-data.ts';
import { jsonLines, repository, runProgram, withDirectory, writeConfiguration } from './program.ts';

const configuration = (version: number, eps = 0.25): string => `
dataDirectory: .
server: { enabled: false }
models: { encoder: { directory: ./encoder } }
routes: [{ name: r, from: text, steps: [{ name: s, task: text-features, model: encoder, collection: c }] }]
collections: [{ name: c, version: ${version}, eps: ${eps}, minPoints: 4 }]
`;

test('another model while items live is refused before anything is appended, and the way back is open', { timeout: 240_000 }, async () => {
  await withDirectory(async (directory) => {
    const encoder = join(directory, 'encoder');
    await cp(join(repository, 'models/static-text-encoder'), encoder, { recursive: true });
    const manifest = JSON.parse(await readFile(join(encoder, 'manifest.json'), 'utf8')) as Record<string, unknown>;
    const useModelVersion = (version: string): Promise<void> => writeFile(join(encoder, 'manifest.json'), JSON.stringify({ ...manifest, version }));
    const publish = async (seed: number): Promise<void> => {
      const file = join(directory, `texts-${seed}.jsonl`);
      await writeFile(file, demoTexts(30, seed).map(({ id, text }) => JSON.stringify({ id: `${seed}-${id}`, text })).join('\n'));
      expect((await runProgram('publish', 'text', file, '--id-column', 'id', '-c', config)).code).toBe(0);
    };
    const config = await writeConfiguration(directory, configuration(1));
    const run = (): ReturnType<typeof runProgram> => runProgram('run', '-c', config, '--until-idle');

    await publish(1);
    expect(await run()).toMatchObject({ code: 0 });
    await useModelVersion('99.0.0');
    await publish(2);
    const conflict = await run();
    expect(conflict.code, conflict.stderr).toBe(78);
    expect(conflict.stderr).toContain('LS_CLUSTER_DEFINITION_CONFLICT');
    await writeConfiguration(directory, configuration(2));
    const migration = await run();
    expect(migration).toMatchObject({ code: 78 });
    expect(migration.stderr).toContain('LS_CLUSTER_MIGRATION_UNSUPPORTED');

    await useModelVersion(String(manifest['version']));
    await writeConfiguration(directory, configuration(1));
    expect(await run()).toMatchObject({ code: 0 });
    // A higher version with another eps is taken, and a lower one is stale from then on.
    await writeConfiguration(directory, configuration(3, 0.3));
    expect(await run()).toMatchObject({ code: 0 });
    await writeConfiguration(directory, configuration(1));
    const stale = await run();
    expect(stale).toMatchObject({ code: 78 });
    expect(stale.stderr).toContain('LS_CLUSTER_DEFINITION_STALE');
    const labelled = jsonLines((await runProgram('tail', 'labels', '-c', config, '--from-start', '--until-end', '--json')).stdout);
    expect(new Set(labelled.map(({ value }) => (value as { itemId: string }).itemId)).size).toBe(60);
  });
});
