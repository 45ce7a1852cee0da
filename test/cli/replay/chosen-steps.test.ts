import { expect, test } from 'vitest';
import type { DecodedEvent } from '../../../src/codec/event-names.ts';
import { stepChooser, type StepFilter } from '../../../src/cli/replay/chosen-steps.ts';
import type { TextEvent } from '../../../src/core/events.generated.ts';
import type { Route } from '../../../src/core/routes.ts';
import { compileTemplate } from '../../../src/core/templates.ts';

const template = compileTemplate('in-${labels.topic|none}');
if ('mistake' in template) throw new Error(template.mistake);
const topic = { name: 'topic', task: 'text-classification', model: 'm', collection: undefined };
const embed = { name: 'embed', task: 'text-features', model: 'm', collection: template };
const routes: readonly Route[] = [
  { name: 'texts', from: 'text', where: {}, steps: [topic, embed] },
  { name: 'news', from: 'text', where: { source: 'news' }, steps: [topic] },
  { name: 'notes', from: 'record', where: {}, steps: [{ ...topic, name: 'predict', task: 'record-prediction' }] },
];

function chosen(filter: Partial<StepFilter>, fields: Partial<TextEvent> = {}): Promise<readonly string[] | undefined> {
  const event: TextEvent = { id: 'a', source: 's', occurredAt: 0, text: 't', language: null, collection: null, attributes: {}, tasks: [], deleted: false, ...fields };
  return stepChooser(routes, { routes: [], tasks: [], ...filter })(() => Promise.resolve<DecodedEvent>({ schema: 'TextEvent', event }));
}

test('without a filter nothing is chosen for EXTRACT, and nothing is decoded', async () => {
  expect(await stepChooser(routes, { routes: [], tasks: [] })(() => Promise.reject(new Error('decoded')))).toBeUndefined();
});

test('the steps of the routes that take the event, by task and by what the event asks for', async () => {
  expect(await chosen({ tasks: ['text-classification'] })).toEqual(['texts/topic']);
  expect(await chosen({ tasks: ['text-classification'] }, { source: 'news' })).toEqual(['texts/topic', 'news/topic']);
  expect(await chosen({ routes: ['texts'] }, { source: 'news' })).toEqual(['texts/topic', 'texts/embed']);
  expect(await chosen({ routes: ['news'] })).toEqual([]);
  expect(await chosen({ tasks: ['record-prediction'] })).toEqual([]);
  expect(await chosen({ routes: ['texts'], tasks: ['text-features'] })).toEqual(['texts/embed']);
  expect(await chosen({ routes: ['texts'] }, { tasks: ['text-classification'] })).toEqual(['texts/topic']);
  expect(await chosen({ tasks: ['text-features'] }, { tasks: ['text-classification'] })).toEqual([]);
});

test('a deletion goes to the families of the chosen steps whatever tasks it asks for', async () => {
  expect(await chosen({ tasks: ['text-features'] }, { tasks: ['text-classification'], deleted: true })).toEqual(['texts/embed']);
});

test('what is no event is not concerned', async () => {
  expect(await stepChooser(routes, { routes: ['texts'], tasks: [] })(() => Promise.resolve(undefined))).toEqual([]);
});

test('names that the configuration does not have are refused', () => {
  const refused = (filter: Partial<StepFilter>, message: string): void =>
    expect(() => stepChooser(routes, { routes: [], tasks: [], ...filter })).toThrow(expect.objectContaining({ code: 'LS_CLI_USAGE', message }));
  refused({ routes: ['texts', 'other'] }, '--route other: the configuration has texts, news, notes');
  refused({ tasks: ['other'] }, '--task other: the configuration has text-classification, text-features, record-prediction');
});
