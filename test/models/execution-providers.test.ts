import { describe, expect, test } from 'vitest';
import { requireProviders, type ExecutionProvider } from '../../src/models/execution-providers.ts';
import { openInference } from '../../src/models/inference.ts';
import { startModelServer } from '../../src/models/model-server.ts';
import { classifierDirectory, rejectedMessage, testClock } from './model-directory.ts';
import { loadGraph } from './graph-models.ts';

const start = async (executionProviders: readonly ExecutionProvider[]) =>
  startModelServer({ clock: testClock, workerCount: 1, models: [{ name: 'rows', directory: await classifierDirectory(), executionProviders }] });

describe('an execution provider', () => {
  test('with options is asked, and proven by the known answers', async () => {
    const server = await start([{ name: 'cpu', useArena: false }]);
    const output = await server.run('rows', { kind: 'values', values: { a: 1, b: 2, c: 3, d: 4 } }, { signal: new AbortController().signal });
    expect(output.kind).toBe('scores');
    await server.close();
  });

  test('that onnxruntime does not know is refused before anything is started', async () => {
    expect(await rejectedMessage(start([{ name: 'cpu' }, { name: 'abacus' }]), 'LS_MODEL_PROVIDER')).toMatch(/no execution provider "abacus".*there are: cpu/);
    await requireProviders();
  });

  test('whose libraries are not there is refused by what onnxruntime says of it', async () => {
    const artefacts = await loadGraph(await classifierDirectory());
    const opened = openInference(artefacts, undefined, { executionProviders: [{ name: 'cuda', deviceId: 0 }] });
    expect(await rejectedMessage(opened, 'LS_MODEL_PROVIDER')).toMatch(/cannot load model\.onnx.*\(execution providers: cuda\)$/);
  });
});
