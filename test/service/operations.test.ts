// What operators reach over HTTP, on the real process.
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startProgram, withDirectory, writeConfiguration } from './program.ts';

const configuration = `
dataDirectory: .
server: { port: 0 }
models: { notes: { directory: MODELS/banknote-classifier } }
routes: [{ name: notes, from: record, steps: [{ name: predict, task: record-prediction, model: notes }] }]
`;

test('metrics and health are served; SIGTERM stops in order with exit code 0', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, configuration);
    const program = startProgram(['run', '-c', file]);
    await program.said('"msg":"running"');
    const url = await urlOf(program);
    const ready = await fetch(`${url}/health/ready`);
    expect(ready.status).toBe(200);
    expect(await (await fetch(`${url}/health/live`)).json()).toEqual({ status: 'live' });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('labelstream_build_info{version="');
    expect(metrics).toContain('labelstream_lag_records{stage="extract",topic="record.events"} 0');
    expect(metrics).toContain('labelstream_main_loop_stall_max_seconds');
    program.kill('SIGTERM');
    const { code, stderr } = await program.finished;
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('"forced":false');
  });
});

async function urlOf(program: ReturnType<typeof startProgram>): Promise<string> {
  for (;;) {
    const match = /"url":"([^"]+)"/.exec(program.stderrSoFar());
    if (match?.[1] !== undefined) return match[1];
    await sleep(10);
  }
}

test('a port that is taken is a configuration error with a remedy, and leaves the directory free', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((listening) => taken.once('listening', listening));
  const { port } = taken.address() as { port: number };
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, configuration.replace('port: 0', `port: ${port}`));
    const { code, stderr } = await startProgram(['run', '-c', file]).finished;
    expect(code).toBe(78);
    expect(stderr).toContain('LS_SERVER_LISTEN');
    const again = await startProgram(['run', '-c', file, '--until-idle', '--set', 'server.port=0']).finished;
    expect(again.code, again.stderr).toBe(0);
  });
  taken.close();
});
