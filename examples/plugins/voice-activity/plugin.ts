/**
 * A task for sounds that the program does not have: where somebody speaks, by Silero's network for voice activity (MIT). Its weights are not here: a directory
 * with silero_vad.onnx, a sound to prove it by, and a manifest (`kind: plugin`, `plugin: voice-activity`, `opens: silero`, `input: audio`,
 * `tasks: [voice-activity-detection]`) is a model.
 *
 *   plugins: [./plugins/voice-activity/plugin.ts]
 *   models: { silero: { directory: models/silero } }
 *   routes: [{ name: sounds, from: media, steps: [{ name: speech, task: voice-activity-detection, model: silero }] }]
 *
 * The result is a transcript without words: one segment, `speech`, for each time that somebody speaks. In a copy of this file the import is from
 * 'labelstream/plugin'.
 */
import type { ModelInput, OpenPluginModel, Plugin, PluginModelParts, PluginSession, Task } from '../../../src/plugin.ts';
import { speechSegments, type RunSilero } from './speech-segments.ts';

const file = 'silero_vad.onnx';

function stepOf(session: PluginSession): RunSilero {
  return async ({ input, state, sr }) => {
    const { output, stateN } = await session.run({
      input: { type: 'float32', data: input, dims: [1, input.length] },
      state: { type: 'float32', data: state, dims: [2, 1, 128] },
      sr: { type: 'int64', data: BigInt64Array.of(sr), dims: [] },
    });
    if (output?.type !== 'float32' || stateN?.type !== 'float32') throw new Error(`${file} lacks the outputs output and stateN`);
    return { output: output.data, stateN: stateN.data };
  };
}

const silero = {
  open: async ({ openSession, decodeAudio, inputError }: PluginModelParts): Promise<OpenPluginModel> => {
    const step = stepOf(await openSession(file));
    const answerItem = async (item: ModelInput) => {
      if (item.kind !== 'audio') return inputError(`this model hears sounds, and reads no ${item.kind}`);
      const segments = await speechSegments(step, await decodeAudio(item));
      return { kind: 'transcript' as const, text: '', segments: segments.map((segment) => ({ ...segment, text: 'speech' })) };
    };
    return {
      answer: async (items) => {
        const answers = [];
        for (const item of items) answers.push(await answerItem(item).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error)))));
        return answers;
      },
    };
  },
};

const voiceActivityDetection: Task = {
  name: 'voice-activity-detection',
  accepts: ['media'],
  produces: 'label',
  input: (event) => {
    if (event.kind !== 'media') throw new TypeError('routes gave this task another kind of event than it accepts');
    return { kind: 'audio', bytes: event.content, contentType: event.event.contentType };
  },
  output: (output, { name }) => {
    if (output.kind !== 'transcript') throw new TypeError(`voice-activity-detection needs segments; the model ${name} gives a ${output.kind}`);
    return { kind: 'label', result: { 'labelstream.v1.Transcript': { text: output.text, segments: output.segments } } };
  },
};

const plugin: Plugin = { apiVersion: 1, name: 'voice-activity', tasks: [voiceActivityDetection], models: { silero } };

export default plugin;
