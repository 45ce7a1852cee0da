// Every operation of the OpenAPI document on the real process, as a tester of such documents tries it: with what is there, and with what is wrong.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { withRun } from '../cli/fixtures.ts';
import { pythonWith } from '../python.ts';
import { startContentServer } from '../references/content-server.ts';
import { testWith } from '../requirements.ts';
import { fill, holdingConfiguration, writeTransformers } from './http-holdings.ts';
import { answersIn, fitted, operationsOf, runTester, type OpenApiDocument } from './openapi-tester.ts';
import { repository, withDirectory, writeConfiguration } from './program.ts';

const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? 1);
const isFull = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const examplesMax = isFull ? 50 : 4;
const python = pythonWith('schemathesis');

vi.setConfig({ testTimeout: isFull ? 3_600_000 : 900_000 });

/** Nothing is here to succeed with: published tasks that are documented to answer 404 where no plugin brings them. */
const unanswerable = /\/tasks\/(audio-diarization|face-embedding|optical-character-recognition)\//;

testWith({ 'Python with schemathesis (LABELSTREAM_TEST_PYTHON)': python !== undefined }, `every operation is reached, with no server error, and no answer that is not documented (seed ${seed})`, {}, async () => {
  await withDirectory(async (directory) => {
    await writeTransformers(directory);
    const image = await readFile(join(repository, 'examples/images/cat-01.jpg'));
    const pictures = await startContentServer(({ url }, response) => {
      if (url === '/cat.jpg') response.end(image);
      else response.writeHead(404).end();
    });
    const file = await writeConfiguration(directory, holdingConfiguration(pictures.origin));
    await withRun(file, async (run) => {
      const url = /"url":"([^"]+)"/.exec(run.stderrSoFar())?.[1] ?? '';
      const metrics = async (): Promise<string> => (await fetch(`${url}/metrics`)).text();
      const holdings = await fill(url, `${pictures.origin}/cat.jpg`);
      const document = (await (await fetch(`${url}/docs/json`)).json()) as OpenApiDocument;
      const before = answersIn(await metrics());
      const told = await runTester(fitted(document, holdings), { python: python ?? '', directory, url, seed, examplesMax });
      // Not the whole: what it has sent is long.
      expect(told.slice(-20_000)).toMatch(/Tested: \d{3}[^]* (\d+) generated, \1 passed/);
      const after = answersIn(await metrics());
      const succeeded = (name: string): number => [...(after.get(name) ?? [])].reduce((sum, [status, count]) => sum + (status < 300 ? count - (before.get(name)?.get(status) ?? 0) : 0), 0);
      const unreached = operationsOf(document).filter((name) => !unanswerable.test(name) && succeeded(name) === 0);
      expect(unreached.map((name) => `${name}: ${JSON.stringify([...(after.get(name) ?? [])])}`)).toEqual([]);
      expect((await fetch(`${url}/health/live`)).status).toBe(200);
    });
  });
});
