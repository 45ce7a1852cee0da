// The segments of speech are those of Python: by drawn probabilities, and by Silero's network on recordings.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { sampleModels, samples as sampleData } from '../../examples/example.ts';
import { padded, speechProbabilities, speechSegments, speechSpans, type RunSilero } from '../../examples/plugins/voice-activity/speech-segments.ts';
import { decodeAudio } from '../../src/models/preprocessing/audio/audio-decoder.ts';
import { sha256 } from '../models/model-directory.ts';
import { fileThere, testWith } from '../requirements.ts';
import { jsonLines, repository, runProgram, withDirectory } from '../service/program.ts';

type Segments = readonly { readonly start: number; readonly end: number }[];
type Golden = {
  readonly recordings: readonly { readonly recording: string; readonly samples: number; readonly probabilities: readonly number[]; readonly segments: Segments }[];
  readonly drawn: readonly { readonly probabilities: readonly number[]; readonly samples: number; readonly segments: Segments }[];
};

const golden = JSON.parse(await readFile(join(import.meta.dirname, 'voice-activity.golden.json'), 'utf8')) as Golden;

test('drawn probabilities', () => {
  expect(golden.drawn.some(({ segments }) => segments.length === 0)).toBe(true);
  expect(golden.drawn.some(({ segments }) => segments.length > 3)).toBe(true);
  for (const { probabilities, samples, segments } of golden.drawn) expect(padded(speechSpans(probabilities, samples), samples), JSON.stringify(probabilities)).toEqual(segments);
});

test('nothing, and too little', async () => {
  const never: RunSilero = () => Promise.reject(new Error('asked'));
  expect(await speechSegments(never, new Float32Array(0))).toEqual([]);
  const always: RunSilero = ({ state }) => Promise.resolve({ output: Float32Array.of(1), stateN: state });
  expect(await speechSegments(always, new Float32Array(4_000))).toEqual([]);
  expect(await speechSegments(always, new Float32Array(4_001))).toEqual([{ startSeconds: 0, endSeconds: 4_001 / 16_000 }]);
});

const model = join(sampleModels, 'silero_vad.onnx');

async function openSilero(): Promise<{ readonly run: RunSilero; readonly release: () => Promise<void> }> {
  const session = await InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const run: RunSilero = async ({ input, state, sr }) => {
    const feeds = { input: new Tensor('float32', input, [1, input.length]), state: new Tensor('float32', state, [2, 1, 128]), sr: new Tensor('int64', BigInt64Array.of(sr), []) };
    const { output, stateN } = await session.run(feeds);
    return { output: output!.data as Float32Array, stateN: stateN!.data as Float32Array };
  };
  return { run, release: () => session.release() };
}

for (const { recording, samples: sampleCount, probabilities, segments } of golden.recordings) {
  const file = join(sampleData, 'audio', recording);
  testWith({ [model]: fileThere(model), [file]: fileThere(file) }, recording, { timeout: 120_000 }, async () => {
    const samples = await decodeAudio(await readFile(file), 'audio/wav', { secondsMax: 60, decodedSamplesMax: 10_000_000 });
    expect(samples).toHaveLength(sampleCount);
    const { run, release } = await openSilero();
    const found = await speechProbabilities(run, samples);
    expect(found).toHaveLength(probabilities.length);
    const worst = Math.max(...found.map((probability, index) => Math.abs(probability - probabilities[index]!)));
    expect(worst).toBeLessThan(1e-3);
    expect(await speechSegments(run, samples)).toEqual(segments.map(({ start, end }) => ({ startSeconds: start / 16_000, endSeconds: end / 16_000 })));
    await release();
  });
}

const [first] = golden.recordings;
const recording = join(sampleData, 'audio', first!.recording);
testWith({ [model]: fileThere(model), [recording]: fileThere(recording) }, 'as a plugin: the task by hand, its model verified', { timeout: 240_000 }, async () => {
  await withDirectory(async (directory) => {
    const segments = first!.segments.map(({ start, end }) => ({ startSeconds: start / 16_000, endSeconds: end / 16_000, text: 'speech' }));
    const files = await Promise.all(
      [[model, 'silero_vad.onnx'], [recording, 'known.wav']].map(async ([from = '', path = '']) => {
        const bytes = await readFile(from);
        await writeFile(join(directory, path), bytes);
        return { path, sha256: sha256(bytes), sizeBytes: bytes.length };
      }),
    );
    const manifest = {
      kind: 'plugin', plugin: 'voice-activity', opens: 'silero', name: 'silero-vad', version: '5.0.0', licence: 'MIT', source: 'snakers4/silero-vad', tasks: ['voice-activity-detection'], input: 'audio',
      files, reproducible: true,
      knownAnswers: [{ input: { kind: 'audio', file: 'known.wav', contentType: 'audio/wav' }, output: { kind: 'transcript', text: '', segments }, tolerance: 0 }],
    };
    await writeFile(join(directory, 'manifest.json'), JSON.stringify(manifest));
    const plugin = ['--plugin', join(repository, 'examples/plugins/voice-activity/plugin.ts')];
    const verified = await runProgram('models', 'verify', directory, ...plugin);
    expect(verified.code, verified.stdout + verified.stderr).toBe(0);
    const broken = join(directory, 'broken.wav');
    await writeFile(broken, (await readFile(recording)).subarray(0, 1_000));
    const { code, stdout, stderr } = await runProgram('task', 'voice-activity-detection', recording, broken, '--model', directory, ...plugin, '--json');
    expect(code, stderr).toBe(1);
    expect(jsonLines(stdout)).toMatchObject([{ result: { 'labelstream.v1.Transcript': { text: '', segments } } }, { error: { code: 'LS_AUDIO_CORRUPT' } }]);
  });
});
