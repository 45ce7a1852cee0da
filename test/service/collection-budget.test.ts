// A collection at its memory budget (SEMANTICS.md, rule 19), through the program: it takes nothing more in until it may, and what was refused is redriven.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { demoTexts } from '../../src/cli/demo/demo-data.ts';
import { repository, runProgram, withDirectory, writeConfiguration } from './program.ts';
import { objects, succeed, writeInput } from '../cli/fixtures.ts';

const configuration = (collectionBytesMax: number | undefined): string => `
dataDirectory: .
server: { enabled: false }
models: { encoder: { directory: ${join(repository, 'models/static-text-encoder')} } }
routes: [{ name: r, from: text, steps: [{ name: s, task: text-features, model: encoder, collection: c }] }]
collections: [{ name: c, version: 1, eps: 0.25, minPoints: 4 }]
${collectionBytesMax === undefined ? '' : `cluster: { collectionBytesMax: ${collectionBytesMax} }`}
`;

test('a collection is frozen at its budget, and thawed when that was raised', { timeout: 300_000 }, async () => {
  await withDirectory(async (directory) => {
    let published = 0;
    const use = (bytesMax: number | undefined): Promise<string> => writeConfiguration(directory, configuration(bytesMax));
    const config = await use(undefined);
    const publish = async (count: number): Promise<void> => {
      const texts = demoTexts(count, published).map(({ id, text }) => JSON.stringify({ id: `${published}-${id}`, text }));
      published += count;
      await succeed('publish', 'text', await writeInput(directory, `texts-${published}.jsonl`, texts), '--id-column', 'id', '-c', config);
    };
    const summary = async (): Promise<string> => (await runProgram('clusters', 'list', '-c', config)).stdout;
    const refused = () => objects('dlq', 'list', '-c', config, '--code', 'LS_CLUSTER_COLLECTION_FROZEN');
    const runOut = async (): Promise<void> => {
      const { code, stderr } = await runProgram('run', '-c', config, '--until-idle');
      expect(stderr).not.toContain('partition stopped');
      expect(code).toBe(0);
    };

    await publish(30);
    await runOut();
    expect(await summary()).toContain('c: 30 items');
    await use(1);
    await runOut();
    expect(await summary()).toContain('frozen at its memory budget');
    await publish(10);
    await runOut();
    expect(await summary()).toMatch(/c: 30 items.*frozen at its memory budget/);
    expect(await refused()).toHaveLength(10);
    await use(undefined);
    await runOut();
    expect(await summary()).toMatch(/c: 30 items, .*; eps 0\.25, minPoints 4$/m);
    await succeed('dlq', 'redrive', '--code', 'LS_CLUSTER_COLLECTION_FROZEN', '-c', config);
    await runOut();
    expect(await summary()).toContain('c: 40 items');
    expect(await refused(), 'none was refused again').toHaveLength(10);
  });
});
