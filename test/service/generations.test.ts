// A changed eps, and a projection, from the configuration to the labels: through `run`, `collections fit`, `clusters eps` and followers.
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { objects, succeed, withRun, writeTexts } from '../cli/fixtures.ts';
import { demoTexts } from '../../src/cli/demo/demo-data.ts';
import { repository, runProgram, withDirectory, writeConfiguration } from './program.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 480_000 });

const configuration = (collection: string): string => `
dataDirectory: data
server: { enabled: false }
models: { encoder: { directory: ${join(repository, 'models/static-text-encoder')} } }
routes: [{ name: r, from: text, steps: [{ name: s, task: text-features, model: encoder, collection: c }] }]
collections: [{ name: c, ${collection} }]
`;

const publish = async (directory: string, file: string, from: number, to: number): Promise<void> => {
  const texts = Object.fromEntries(demoTexts(to, 1).slice(from).map(({ id, text }) => [id, text]));
  await succeed('publish', 'text', await writeTexts(directory, `texts-${from}.jsonl`, texts), '--id-column', 'id', '-c', file);
};

const labels = (file: string) => objects('tail', 'labels', '--from-start', '--until-end', '-c', file);
const generationsOf = (told: readonly Record<string, unknown>[]): string[] =>
  told.map(({ value }) => (value as { result: { 'labelstream.v1.Assignment': { generation: string } } }).result['labelstream.v1.Assignment'].generation);

test('a changed eps is built beside the labels and swapped in; another run, and followers, see the same', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, configuration('version: 1, eps: 0.25, minPoints: 4'));
    await publish(directory, file, 0, 60);
    await succeed('run', '-c', file, '--until-idle');
    const before = await objects('clusters', 'list', '-c', file);
    const told = new Set(generationsOf(await labels(file)));
    expect(told.size).toBe(1);

    await writeConfiguration(directory, configuration('version: 2, eps: 0.4, minPoints: 4'));
    await withRun(file, async () => {
      await publish(directory, file, 60, 90);
      await vi.waitFor(async () => {
        const changed = (await objects('tail', 'cluster-events', '--from-start', '--until-end', '-c', file)).filter(({ value }) => (value as { cause: string }).cause === 'swap');
        expect(changed.length).toBeGreaterThan(0);
      }, { timeout: 120_000, interval: 500 });
      const [shown] = await objects('clusters', 'list', '-c', file);
      expect(shown).toBeDefined();
    });
    await succeed('run', '-c', file, '--until-idle');
    const after = await objects('clusters', 'list', '-c', file);
    expect(after.reduce((sum, { size }) => sum + Number(size), 0)).toBeGreaterThan(before.reduce((sum, { size }) => sum + Number(size), 0));
    const generations = generationsOf(await labels(file));
    expect(new Set(generations).size).toBe(2);
    expect(generations.at(-1)).not.toBe(generations[0]);

    // Back again, without anything else to do: idle is when it is in force.
    await writeConfiguration(directory, configuration('version: 3, eps: 0.25, minPoints: 4'));
    await succeed('run', '-c', file, '--until-idle');
    expect((await objects('clusters', 'eps', '--collection', 'c', '-c', file))[0]).toMatchObject({ eps: 0.25, itemCount: 90 });
  });
});

test('a projection is fitted, chosen an eps for, swapped in, and missed where it is gone', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, configuration('version: 1, eps: 0.25, minPoints: 4'));
    const fit = ['collections', 'fit', '--collection', 'c', '-c', file] as const;
    const refused = async (code: number, ...parameters: readonly string[]): Promise<string> => {
      const finished = await runProgram(...parameters);
      expect([finished.code, finished.stdout], finished.stderr).toEqual([code, '']);
      return finished.stderr;
    };
    expect(await refused(1, ...fit)).toContain('LS_LOG_MISSING');
    await succeed('topics', 'create', '-c', file);
    expect(await refused(1, ...fit)).toContain('LS_CLI_NOT_FOUND');
    await publish(directory, file, 0, 20);
    await succeed('run', '-c', file, '--until-idle');
    expect(await refused(1, ...fit)).toContain('64 dimensions need a sample of 65 vectors or more, and there are 20');
    expect(await refused(78, ...fit, '--kind', 'rotate')).toContain('LS_PROJECTION_KIND_UNKNOWN');
    expect(await readdir(join(directory, 'data', 'state')).catch(() => [])).not.toContain('projections');
    await publish(directory, file, 20, 120);
    await succeed('run', '-c', file, '--until-idle');
    const [fitted] = await objects(...fit, '--components', '12');
    expect(fitted).toMatchObject({ kind: 'whiten', family: 'c', outputDimensions: 12, sampleSize: 120 });
    const projection = String(fitted?.['projection']);
    const text = await succeed(...fit, '--components', '12');
    expect(text.stdout).toContain(projection);
    expect(text.stderr).toContain(`projection: ${projection}`);
    const eps = ['clusters', 'eps', '--collection', 'c', '-c', file] as const;
    const [raw] = await objects(...eps);
    const [projected] = await objects(...eps, '--projection', projection);
    expect([raw?.['projection'], projected?.['projection'], raw?.['eps'], projected?.['eps']]).toEqual([null, projection, 0.25, null]);
    expect(projected?.['curve']).not.toEqual(raw?.['curve']);
    expect(await refused(1, ...eps, '--projection', 'a'.repeat(64))).toContain('LS_STATE_ARTEFACT_MISSING');

    await writeConfiguration(directory, configuration(`version: 2, eps: 0.6, minPoints: 4, projection: ${'a'.repeat(64)}`));
    expect(await refused(78, 'run', '-c', file, '--until-idle')).toContain('LS_STATE_ARTEFACT_MISSING');
    await writeConfiguration(directory, configuration(`version: 2, eps: 0.6, minPoints: 4, projection: ${projection}`));
    await succeed('run', '-c', file, '--until-idle');
    expect((await objects(...eps))[0]).toMatchObject({ projection, eps: 0.6, itemCount: 120 });
    expect((await objects(...eps, '--projection', 'none'))[0]).toMatchObject({ projection: null, curve: raw?.['curve'] });
    await publish(directory, file, 120, 130);
    await succeed('run', '-c', file, '--until-idle');
    expect((await objects(...eps))[0]).toMatchObject({ itemCount: 130 });
    const clusters = await objects('clusters', 'list', '-c', file);

    const stored = join(directory, 'data', 'state', 'projections');
    const [name] = (await readdir(stored, { recursive: true })).filter((each) => each.endsWith('.snapshot'));
    const whole = await readFile(join(stored, name!));
    await writeFile(join(stored, name!), Buffer.concat([whole.subarray(0, 200), Buffer.from([whole[200]! ^ 1]), whole.subarray(201)]));
    await publish(directory, file, 130, 135);
    expect(await refused(1, 'run', '-c', file, '--until-idle')).toContain('LS_STATE_ARTEFACT_CORRUPT');
    await rm(join(stored, name!));
    const missing = await refused(1, 'run', '-c', file, '--until-idle');
    expect(missing, 'the last word').toMatch(/\nlabelstream: .*LS_STATE_ARTEFACT_MISSING: .*\n(?: {2}.*\n)* {2}Copy it \(`projections\/artefact-SHA256`.*\n$/);
    expect(missing, 'the log').toMatch(/"causeCode":"LS_STATE_ARTEFACT_MISSING","causeRemedy":"Copy it .*"partition stopped"/);
    await writeFile(join(stored, name!), whole);
    await succeed('run', '-c', file, '--until-idle');
    expect((await objects(...eps))[0]).toMatchObject({ itemCount: 135 });
    expect(clusters.length).toBeGreaterThan(0);
  });
});
