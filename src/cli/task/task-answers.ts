/** Many items at once, so that batches are filled, and their answers in the order of the items. */
import { LabelstreamError } from '../../core/errors/error.ts';
import { runTaskRequest, type TaskRequest, type TaskServices } from '../../tasks/task-request.ts';
import type { TaskResult } from '../../tasks/task.ts';
import type { TaskItem } from './task-files.ts';

export type TaskAnswer = Pick<TaskItem, 'file' | 'line'> & ({ readonly result: TaskResult } | { readonly error: LabelstreamError });

export type Question = Omit<TaskRequest, 'content' | 'text' | 'classes'> & { readonly text?: string | undefined; readonly classes?: readonly string[] | undefined };

export type AnswerLimits = { readonly itemsMax: number; readonly bytesMax: number };

/** Rejects only with the reason of the signal, and with what is no error of the catalogue. */
export async function* taskAnswers(items: AsyncIterable<TaskItem>, services: TaskServices, question: Question, { itemsMax, bytesMax }: AnswerLimits, signal: AbortSignal): AsyncGenerator<TaskAnswer> {
  const asked: { readonly answer: Promise<TaskAnswer | { readonly thrown: unknown }>; readonly bytes: number }[] = [];
  const next = async (): Promise<TaskAnswer> => {
    const answer = await asked.shift()?.answer;
    signal.throwIfAborted();
    if (answer === undefined || 'thrown' in answer) throw answer?.thrown;
    return answer;
  };
  for await (const item of items) {
    signal.throwIfAborted();
    const bytesWaiting = (): number => asked.reduce((total, { bytes }) => total + bytes, 0);
    while (asked.length >= itemsMax || (asked.length > 0 && bytesWaiting() + item.bytes > bytesMax)) yield await next();
    asked.push({ bytes: item.bytes, answer: answerTo(item, services, question, signal) });
  }
  while (asked.length > 0) yield await next();
}

/** Never rejects: it may be waited for later. */
async function answerTo(item: TaskItem, services: TaskServices, question: Question, signal: AbortSignal): Promise<TaskAnswer | { readonly thrown: unknown }> {
  const { file, line } = item;
  const of = line === undefined ? { file } : { file, line };
  if ('error' in item) return { ...of, error: item.error };
  try {
    // One item in is one result out.
    return { ...of, result: (await runTaskRequest(services, { ...question, content: item.content }, { signal, priority: 'interactive' })) as TaskResult };
  } catch (error) {
    return error instanceof LabelstreamError ? { ...of, error } : { thrown: error };
  }
}
