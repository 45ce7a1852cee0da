/** `infer`: a task for every item of the tensors, answered as tensors, in JSON or as raw bytes behind it. */
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { serverError } from '../../core/errors/server.ts';
import { resultsOf, runTaskRequest, type TaskOutcome } from '../../tasks/task-request.ts';
import type { Task } from '../../tasks/task.ts';
import { taskOf } from '../model-choice.ts';
import type { TaskHost } from '../task-host.ts';
import { inputsOf, requestOf, requireInputs, tensorsOf } from './task-tensors.ts';
import { dataTypes, inputTensors, rawBytes, type OutputTensor } from './tensors.ts';

const parameters = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional();

export const inferBody = z.object({
  id: z.string().optional(),
  parameters: parameters.describe('`task`, where a model has several; `binary_data_output`; and what the `config` of the task takes.'),
  inputs: z
    .array(z.object({ name: z.string(), datatype: z.enum(dataTypes), shape: z.array(z.int().min(0)), parameters, data: z.array(z.unknown()).optional() }))
    .min(1),
  outputs: z.array(z.object({ name: z.string(), parameters })).optional().describe('Those that are wanted; without it all.'),
});

/** What is answered, or stands before the bytes of the tensors. */
export const inferredBody = z.strictObject({
  id: z.string().optional(),
  model_name: z.string(),
  model_version: z.string(),
  outputs: z.array(z.strictObject({ name: z.string(), datatype: z.enum(['FP32', 'BYTES']), shape: z.array(z.int()), parameters: z.strictObject({ binary_data_size: z.int() }).optional(), data: z.array(z.unknown()).optional() })),
});

type InferRequest = z.output<typeof inferBody>;

/** Of requests, not of tasks. */
const reserved = new Set(['task', 'binary_data_output', 'priority', 'timeout', 'sequence_id', 'sequence_start', 'sequence_end', 'headers']);

export type InferOptions = { readonly model: string; readonly body: InferRequest; readonly raw: Buffer; readonly signal: AbortSignal };

export type Inferred = { readonly header: object; readonly raw: readonly Buffer[] };

/** Rejects with what is wrong with the first item that fails: a batch has one outcome in this protocol. */
export async function infer(host: TaskHost, { model, body, raw, signal }: InferOptions): Promise<Inferred> {
  const models = host.models();
  const description = models.describe(model);
  const status = models.status().get(model);
  if (status === undefined) throw new TypeError(`${model} has no status`);
  const named = body.parameters?.['task'];
  const task = taskOf(host, typeof named === 'string' ? named : description.task);
  if (!status.tasks.includes(task.name)) throw serverError('LS_SERVER_REQUEST', `the model ${model} is not made for ${task.name}`, { model, task: task.name });
  const config = Object.fromEntries(Object.entries(body.parameters ?? {}).filter(([name]) => !reserved.has(name)));
  requireInputs(body.inputs, inputsOf(status, description, task));
  const request = { ...requestOf(task, model, status, inputTensors(body.inputs, raw)), config };
  const outcomes = (await runTaskRequest({ models, tasks: host.tasks }, request, { signal, priority: 'interactive' })) as readonly TaskOutcome[];
  return written(body, wantedOf(task, body, tensorsOf(task, description, resultsOf(outcomes))), { model_name: model, model_version: description.version });
}

type Wanted = { readonly tensor: OutputTensor; readonly isBinary: boolean };

function wantedOf(task: Task, { outputs, parameters: given }: InferRequest, tensors: readonly OutputTensor[]): readonly Wanted[] {
  const isBinaryByDefault = given?.['binary_data_output'] === true;
  if (outputs === undefined) return tensors.map((tensor) => ({ tensor, isBinary: isBinaryByDefault }));
  return outputs.map(({ name, parameters: of }) => {
    const tensor = tensors.find((each) => each.name === name);
    if (tensor === undefined) throw serverError('LS_SERVER_REQUEST', `${task.name} has no output ${name}; the outputs are ${tensors.map((each) => each.name).join(', ')}`, { name });
    // As classes, or in memory that is shared: an answer in another form than was asked for would be taken for it.
    const unknown = Object.keys(of ?? {}).find((parameter) => parameter !== 'binary_data');
    if (unknown !== undefined) throw serverError('LS_SERVER_REQUEST', `the output ${name} is asked for with ${unknown}, which is not offered here; its parameter is binary_data`, { name });
    const asked = of?.['binary_data'];
    return { tensor, isBinary: typeof asked === 'boolean' ? asked : isBinaryByDefault };
  });
}

function written({ id }: InferRequest, wanted: readonly Wanted[], names: object): Inferred {
  const raw: Buffer[] = [];
  const outputs = wanted.map(({ tensor, isBinary }) => {
    const { name, datatype, shape, values } = tensor;
    if (!isBinary) return { name, datatype, shape, data: Array.from<unknown>(values as ArrayLike<unknown>) };
    const bytes = rawBytes(tensor);
    raw.push(bytes);
    return { name, datatype, shape, parameters: { binary_data_size: bytes.length } };
  });
  return { header: { ...(id === undefined ? {} : { id }), ...names, outputs }, raw };
}

export const headerLengthName = 'inference-header-content-length';

export function sendInferred(reply: FastifyReply, { header, raw }: Inferred): FastifyReply {
  if (raw.length === 0) return reply.type('application/json').send(JSON.stringify(header));
  const json = Buffer.from(JSON.stringify(header));
  return reply.type('application/octet-stream').header(headerLengthName, json.length).send(Buffer.concat([json, ...raw]));
}
