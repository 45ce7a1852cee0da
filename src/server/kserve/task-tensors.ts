/** The tensors of a model: what its task is asked, and what it gives, as arrays with a row for each item. */
import { serverError } from '../../core/errors/server.ts';
import type { ModelStatus } from '../../models/model-server.ts';
import type { ModelDescription } from '../../models/model-port.ts';
import type { TaskContent, TaskRequest } from '../../tasks/task-request.ts';
import type { Task, TaskResult } from '../../tasks/task.ts';
import { typeOf } from '../encoded-content.ts';
import { utf8Text } from '../json-bodies.ts';
import type { DataType, GivenTensor, InputTensor, OutputTensor } from './tensors.ts';

/** -1: as many as there are items, or are found. */
export type TensorDescription = { readonly name: string; readonly datatype: DataType; readonly shape: readonly number[] };

export function inputsOf({ input, inputFields }: ModelStatus, { labels }: Pick<ModelDescription, 'labels'>, task: Task): readonly TensorDescription[] {
  const bytes = (name: string): TensorDescription => ({ name, datatype: 'BYTES', shape: [-1] });
  if (input === 'values') return inputFields.map((name) => ({ name, datatype: 'FP64', shape: [-1] }));
  return [bytes(input), ...(task.text === 'needed' ? [bytes('prefix')] : []), ...(takesClasses(task, labels) ? [bytes('classes')] : [])];
}

/** A model that has classes of its own finds no others. (Those of a transformer are known to its graph alone, which refuses others itself.) */
function takesClasses({ classes = 'none' }: Task, labels: readonly string[]): boolean {
  return classes === 'needed' || (classes === 'optional' && labels.length === 0);
}

export function outputsOf({ labels, dimensions }: ModelDescription, task: Task): readonly TensorDescription[] {
  const texts = (name: string): TensorDescription => ({ name, datatype: 'BYTES', shape: [-1] });
  const numbers = (name: string, width: number): TensorDescription => ({ name, datatype: 'FP32', shape: [-1, width] });
  if (task.produces === 'features') return [numbers('features', dimensions === 0 ? -1 : dimensions)];
  switch (task.name) {
    case 'image-captioning':
    case 'conditional-image-captioning':
      return [texts('caption')];
    case 'automated-speech-recognition':
      return [texts('transcript')];
    case 'zero-shot-image-classification':
      return [numbers('probabilities', -1)];
    case 'object-detection':
      return [numbers('boxes', 4), texts('labels'), { name: 'scores', datatype: 'FP32', shape: [-1] }];
    default:
      return [texts('label'), numbers('probabilities', labels.length === 0 ? -1 : labels.length)];
  }
}

/** Before their elements are looked at. Throws LS_SERVER_REQUEST. */
export function requireInputs(given: readonly Pick<GivenTensor, 'name' | 'datatype'>[], wanted: readonly TensorDescription[]): void {
  const twice = given.find(({ name }, index) => given.findIndex((each) => each.name === name) < index);
  if (twice !== undefined) throw serverError('LS_SERVER_REQUEST', `the input ${twice.name} is there twice`, { name: twice.name });
  for (const { name, datatype } of given) {
    const input = wanted.find((each) => each.name === name);
    if (input === undefined) throw serverError('LS_SERVER_REQUEST', `there is no input ${name}; the inputs are ${wanted.map((each) => each.name).join(', ')}`, { name });
    if ((input.datatype === 'BYTES') !== (datatype === 'BYTES')) throw serverError('LS_SERVER_REQUEST', `the input ${name} is ${datatype}, not ${input.datatype}${input.datatype === 'BYTES' ? ': a text, or a whole file as it is, for each item' : ''}`, { name });
  }
}

/** Throws LS_SERVER_REQUEST. @param tensors of its inputs. */
export function requestOf(task: Task, model: string, status: ModelStatus, tensors: readonly InputTensor[]): TaskRequest & { readonly content: readonly TaskContent[] } {
  const named = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const elements = (name: string): readonly Buffer[] => {
    const tensor = named.get(name);
    if (tensor === undefined) throw serverError('LS_SERVER_REQUEST', `the input ${name} is missing`, { name });
    return tensor.values as readonly Buffer[];
  };
  const texts = (name: string): readonly string[] => elements(name).map((bytes) => utf8Text(bytes, `the input ${name}`));
  const common = { task: task.name, model };
  if (status.input === 'values') return { ...common, content: recordsIn(status.inputFields, named) };
  if (status.input === 'text') return { ...common, content: texts('text').map((text) => ({ text })) };
  const content = elements(status.input).map((bytes) => ({ bytes, contentType: typeOf(bytes) }));
  return { ...common, content, text: task.text === 'needed' ? texts('prefix') : undefined, classes: named.has('classes') ? texts('classes') : undefined };
}

function recordsIn(fields: readonly string[], named: ReadonlyMap<string, InputTensor>): readonly { readonly values: Readonly<Record<string, number>> }[] {
  const columns = fields.map((name) => {
    const tensor = named.get(name);
    if (tensor === undefined) throw serverError('LS_SERVER_REQUEST', `the input ${name} is missing`, { name });
    return { name, values: tensor.values as readonly number[] };
  });
  const count = columns[0]?.values.length ?? 0;
  const uneven = columns.find(({ values }) => values.length !== count);
  if (uneven !== undefined) throw serverError('LS_SERVER_REQUEST', `the input ${uneven.name} has ${uneven.values.length} elements, the first one ${count}`, { name: uneven.name });
  return Array.from({ length: count }, (_, row) => ({ values: Object.fromEntries(columns.map(({ name, values }) => [name, values[row] as number])) }));
}

/** Throws LS_SERVER_REQUEST where there are boxes of several images: each has as many as it has. */
export function tensorsOf(task: Task, { labels }: ModelDescription, results: readonly TaskResult[]): readonly OutputTensor[] {
  const count = results.length;
  if (task.produces === 'features') {
    const vectors = results.map((result) => (result as Extract<TaskResult, { kind: 'features' }>).vector);
    return [matrix('features', vectors)];
  }
  const each = results.map((result) => (result as Extract<TaskResult, { kind: 'label' }>).result);
  const texts = (name: string, values: readonly string[]): OutputTensor => ({ name, datatype: 'BYTES', shape: [values.length], values });
  const [first] = each;
  if (first === undefined) return [];
  if ('labelstream.v1.Caption' in first) return [texts('caption', each.map((result) => ('labelstream.v1.Caption' in result ? result['labelstream.v1.Caption'].text : '')))];
  if ('labelstream.v1.Transcript' in first) return [texts('transcript', each.map((result) => ('labelstream.v1.Transcript' in result ? result['labelstream.v1.Transcript'].text : '')))];
  if ('labelstream.v1.ZeroShot' in first) return [matrix('probabilities', each.map((result) => ('labelstream.v1.ZeroShot' in result ? result['labelstream.v1.ZeroShot'].probabilities : [])))];
  if ('labelstream.v1.Detection' in first) {
    if (count > 1) throw serverError('LS_SERVER_REQUEST', `${task.name} takes one image at a time here: each has as many boxes as are found`);
    const { boxes, labels: found, scores } = first['labelstream.v1.Detection'];
    return [{ name: 'boxes', datatype: 'FP32', shape: [boxes.length, 4], values: boxes.flat() }, texts('labels', found), { name: 'scores', datatype: 'FP32', shape: [scores.length], values: scores }];
  }
  const scored = each.map((result) => ('labelstream.v1.Classification' in result ? result['labelstream.v1.Classification'].labels : 'labelstream.v1.Prediction' in result ? result['labelstream.v1.Prediction'].probabilities : []));
  const inOrder = scored.map((scores) => {
    const scoreOf = new Map(scores.map(({ label, score }) => [label, score]));
    return labels.map((label) => scoreOf.get(label) ?? Number.NaN);
  });
  const best = scored.map((scores) => scores.reduce((top, next) => (next.score > top.score ? next : top), scores[0] ?? { label: '', score: Number.NaN }).label);
  return [texts('label', best), matrix('probabilities', inOrder)];
}

function matrix(name: string, rows: readonly ArrayLike<number>[]): OutputTensor {
  const width = rows[0]?.length ?? 0;
  const values = new Float32Array(rows.length * width);
  for (const [index, row] of rows.entries()) values.set(row, index * width);
  return { name, datatype: 'FP32', shape: [rows.length, width], values };
}
