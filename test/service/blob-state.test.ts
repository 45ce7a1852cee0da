// Snapshots in a blob container: an instance with an empty disk restores from it, and clusters keep their identities.
import { randomBytes } from 'node:crypto';
import { cp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BlobServiceClient } from '@azure/storage-blob';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { demoTexts } from '../../src/cli/demo/demo-data.ts';
import { describeWith } from '../requirements.ts';
import { azuriteNeeds, startAzurite, type Azurite } from '../stores/azurite.ts';
import { jsonLines, repository, runProgram, startProgram, withDirectory, writeConfiguration } from './program.ts';

const accountKey = randomBytes(32).toString('base64');

const configuration = (connectionString: string, container: string): string => `
dataDirectory: ./data
server: { enabled: false }
log: { level: info }
transport: { partitionCount: 1 }
state: { kind: blob, connectionString: "${connectionString}", container: ${container}, prefix: news }
cluster: { snapshotRecords: 10 }
models: { encoder: { directory: ${join(repository, 'models/static-text-encoder')} } }
routes: [{ name: r, from: text, steps: [{ name: s, task: text-features, model: encoder, collection: c }] }]
collections: [{ name: c, eps: 0.3, minPoints: 3 }]
`;

describeWith(await azuriteNeeds(), 'snapshots in a blob container', () => {
  let azurite: Azurite;
  beforeAll(async () => {
    azurite = await startAzurite(accountKey);
    for (const name of ['kept', 'away']) await BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient(name).create();
  }, 60_000);
  afterAll(() => azurite.close());

  const publish = async (directory: string, config: string, seed: number): Promise<void> => {
    const file = join(directory, 'texts.jsonl');
    await writeFile(file, demoTexts(40, seed).map(({ id, text }) => JSON.stringify({ id: `${seed}-${id}`, text })).join('\n'));
    expect(await runProgram('publish', 'text', file, '--id-column', 'id', '-c', config)).toMatchObject({ code: 0 });
  };
  const clusterIds = async (config: string): Promise<readonly unknown[]> => {
    const listed = await runProgram('clusters', 'list', '-c', config, '--json');
    expect(listed, listed.stderr).toMatchObject({ code: 0 });
    return jsonLines(listed.stdout).map(({ id }) => id);
  };

  test('bring the state back on an empty disk, with the clusters that it had', { timeout: 240_000 }, async () => {
    await withDirectory(async (directory) => {
      const config = await writeConfiguration(directory, configuration(azurite.connectionString, 'kept'));
      await publish(directory, config, 1);
      expect(await runProgram('run', '-c', config, '--until-idle')).toMatchObject({ code: 0 });
      const before = await clusterIds(config);
      expect(before.length).toBeGreaterThan(0);
      expect(await readdir(join(directory, 'data')), 'nothing of the state is on the disk').not.toContain('state');
      await withDirectory(async (elsewhere) => {
        const elsewhereConfig = await writeConfiguration(elsewhere, configuration(azurite.connectionString, 'kept'));
        // The log is what a broker would keep; the disk of the instance is empty.
        await cp(join(directory, 'data/log'), join(elsewhere, 'data/log'), { recursive: true });
        await rm(join(directory, 'data'), { recursive: true });
        expect(await clusterIds(elsewhereConfig)).toEqual(before);
        await publish(elsewhere, elsewhereConfig, 2);
        const run = await runProgram('run', '-c', elsewhereConfig, '--until-idle');
        expect(run).toMatchObject({ code: 0 });
        const told = jsonLines(run.stderr).find(({ msg }) => msg === 'state restored');
        expect(Number(told?.['snapshotSequence'])).toBeGreaterThan(9);
        expect(Number(told?.['records']), 'folded after the snapshot').toBeLessThan(12);
        expect(await clusterIds(elsewhereConfig)).toEqual(expect.arrayContaining([...before]));
        const blobs = await Array.fromAsync(BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient('kept').listBlobsFlat());
        expect(blobs.length).toBeGreaterThan(0);
        for (const { name } of blobs) expect(name).toMatch(/^news\/cluster\/features-[0-9a-f]+\/0\/\d{20}\.snapshot$/);
      });
    });
  });

  test('are refused with a code where the key is another, which is told to nobody', { timeout: 120_000 }, async () => {
    await withDirectory(async (directory) => {
      const wrongKey = randomBytes(32).toString('base64');
      const config = await writeConfiguration(directory, configuration(azurite.connectionString.replace(accountKey, wrongKey), 'kept'));
      for (const parameters of [['run', '--until-idle'], ['clusters', 'list'], ['validate']]) {
        const { code, stdout, stderr } = await runProgram(...parameters, '-c', config);
        expect(stdout + stderr).not.toContain(wrongKey);
        if (parameters[0] === 'validate') continue;
        expect(code).not.toBe(0);
        expect(stderr).toContain('LS_STATE_CREDENTIALS');
      }
    });
  });

  test('are waited for while the container is away', { timeout: 120_000 }, async () => {
    await withDirectory(async (directory) => {
      const config = await writeConfiguration(directory, configuration(azurite.connectionString, 'away'));
      await publish(directory, config, 3);
      await azurite.stop();
      const run = startProgram(['run', '-c', config, '--until-idle']);
      const asked = startProgram(['clusters', 'list', '-c', config]);
      await run.said('LS_STATE_CONTAINER_UNREACHABLE');
      await asked.said('LS_STATE_CONTAINER_UNREACHABLE');
      asked.kill('SIGTERM');
      await asked.finished;
      await azurite.restart();
      expect(await run.finished).toMatchObject({ code: 0 });
      expect((await clusterIds(config)).length).toBeGreaterThan(0);
    });
  });
});
