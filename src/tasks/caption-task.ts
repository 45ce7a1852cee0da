/** Every task that writes a text about an image. What it begins with is no part of the answer. */
import { taskError } from '../core/errors/task.ts';
import { imageInput } from './image-input.ts';
import type { Task, TaskParameters, TaskEvent } from './task.ts';

type CaptionTask = Pick<Task, 'name'> & { readonly text: (task: string, event: TaskEvent, parameters: TaskParameters) => string | undefined };

export function captionTask({ name, text: textOf }: CaptionTask): Pick<Task, 'name' | 'accepts' | 'produces' | 'input' | 'output'> {
  return {
    name,
    accepts: ['media'],
    produces: 'label',
    input: (event, parameters = {}) => {
      const { config = {} } = parameters;
      const text = textOf(name, event, parameters);
      return { ...imageInput(name, event), config, ...(text === undefined ? {} : { text }) };
    },
    output: (output, model) => {
      if (output.kind !== 'caption') {
        throw taskError('LS_TASK_OUTPUT', `${name} needs a caption; the model ${model.name} gives ${output.kind}`, { task: name, model: model.name });
      }
      return { kind: 'label', result: { 'labelstream.v1.Caption': { text: output.text } } };
    },
  };
}
