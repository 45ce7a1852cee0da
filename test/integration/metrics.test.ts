// Prometheus' own linter on what the program really serves.
import { spawnSync } from 'node:child_process';
import { expect } from 'vitest';
import { startProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { commandThere, testWith } from '../requirements.ts';

testWith({ 'promtool (Debian package prometheus)': commandThere('promtool') }, 'promtool finds no fault in the metrics', { timeout: 60_000 }, () =>
  withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `
dataDirectory: .
server: { port: 0 }
models: { notes: { directory: MODELS/banknote-classifier } }
routes: [{ name: notes, from: record, steps: [{ name: predict, task: record-prediction, model: notes }] }]
`);
    const program = startProgram(['run', '-c', file]);
    await program.said('"msg":"running"');
    const url = /"url":"([^"]+)"/.exec(program.stderrSoFar())?.[1] ?? '';
    const metrics = await (await fetch(`${url}/metrics`)).text();
    program.kill('SIGTERM');
    await program.finished;
    const checked = spawnSync('promtool', ['check', 'metrics'], { input: metrics, encoding: 'utf8' });
    const complaints = `${checked.stdout}${checked.stderr}`.split('\n').filter((line) => line !== '');
    expect(complaints).toEqual([]);
    expect(checked.status).toBe(0);
  }),
);
