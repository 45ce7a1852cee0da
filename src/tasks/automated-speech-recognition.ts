/** What is said in a sound, and when. */
import { taskError } from '../core/errors/task.ts';
import type { Task } from './task.ts';

const name = 'automated-speech-recognition';

export const automatedSpeechRecognition: Task = {
  name,
  accepts: ['media'],
  produces: 'label',
  text: 'none',
  classes: 'none',
  input: (event, { config = {} } = {}) => {
    if (event.kind !== 'media') throw taskError('LS_TASK_INPUT', `${name} takes media events, not ${event.kind} events`, { task: name, field: 'content' });
    return { kind: 'audio', bytes: event.content, contentType: event.event.contentType, config };
  },
  output: (output, model) => {
    if (output.kind !== 'transcript') {
      throw taskError('LS_TASK_OUTPUT', `${name} needs a transcript; the model ${model.name} gives ${output.kind}`, { task: name, model: model.name });
    }
    return { kind: 'label', result: { 'labelstream.v1.Transcript': { text: output.text, segments: output.segments.map((segment) => ({ ...segment })) } } };
  },
};
