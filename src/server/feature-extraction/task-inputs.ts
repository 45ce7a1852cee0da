/** What a task is asked in JSON, with base64 for images and sounds: one item, or lists of them. */
import { serverError } from '../../core/errors/server.ts';
import type { TaskContent, TaskRequest } from '../../tasks/task-request.ts';
import type { Task } from '../../tasks/task.ts';
import { contentOf } from '../encoded-content.ts';

type OneOrMore<Item> = Item | readonly Item[];

export type FeatureBody = {
  readonly image?: OneOrMore<string> | undefined;
  readonly audio?: OneOrMore<string> | undefined;
  readonly text?: OneOrMore<string> | undefined;
  readonly values?: OneOrMore<Readonly<Record<string, number>>> | undefined;
  readonly classes?: readonly string[] | readonly (readonly string[])[] | undefined;
  readonly config?: unknown;
};

/** Throws LS_SERVER_REQUEST. */
export function taskRequestOf(task: Task, model: string, body: FeatureBody): TaskRequest {
  const { text, classes, config = {} } = body;
  const common = { task: task.name, model, classes, config };
  if (task.accepts.includes('media')) return { ...common, content: mediaOf(body), text };
  const field = task.accepts.includes('text') ? 'text' : 'values';
  const content = body[field];
  if (content === undefined) throw serverError('LS_SERVER_REQUEST', `${task.name} needs ${field}`, { field });
  return { ...common, content: mapped<string | Readonly<Record<string, number>>, TaskContent>(content, (item) => (typeof item === 'string' ? { text: item } : { values: item })) };
}

function mediaOf({ image, audio }: FeatureBody): TaskRequest['content'] {
  const field = image === undefined ? 'audio' : 'image';
  const content = image ?? audio;
  if (content === undefined || (image !== undefined && audio !== undefined)) throw serverError('LS_SERVER_REQUEST', 'exactly one of image and audio is needed', { field });
  return mapped(content, (item, index) => contentOf(item, index === undefined ? field : `${field}[${index}]`));
}

function mapped<Item, Result>(given: OneOrMore<Item>, of: (item: Item, index?: number) => Result): OneOrMore<Result> {
  return Array.isArray(given) ? (given as readonly Item[]).map(of) : of(given as Item);
}
