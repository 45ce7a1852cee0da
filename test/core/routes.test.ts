import { expect, test } from 'vitest';
import { chosenSteps, orderSteps, routeMatches, type Route, type RouteStep } from '../../src/core/routes.ts';
import { compileTemplate } from '../../src/core/templates.ts';

function step(name: string, collection?: string): RouteStep {
  const template = collection === undefined ? undefined : compileTemplate(collection);
  if (template !== undefined && 'mistake' in template) throw new Error(template.mistake);
  return { name, task: 't', model: 'm', collection: template };
}

test('a step comes after the steps that its template reads', () => {
  const result = orderSteps([step('embed', 'a-${labels.classify|x}'), step('classify'), step('other')]);
  expect('ordered' in result && result.ordered.map(({ name }) => name)).toEqual(['classify', 'other', 'embed']);
});

test('a cycle is named', () => {
  expect(orderSteps([step('a', '${labels.b|x}'), step('b', '${labels.a|x}'), step('c')])).toEqual({ cycle: ['a', 'b'] });
});

test('every condition of a route must hold', () => {
  const route: Route = { name: 'r', from: 'text', where: { source: 's', attributes: { toString: 'x' } }, steps: [] };
  expect(routeMatches(route, 'text', { source: 's', attributes: { toString: 'x' } })).toBe(true);
  expect(routeMatches(route, 'text', { source: 's', attributes: {} })).toBe(false);
  expect(routeMatches(route, 'record', { source: 's', attributes: { toString: 'x' } })).toBe(false);
  expect(routeMatches(route, 'text', { source: 't', attributes: { toString: 'x' } })).toBe(false);
  const english: Route = { ...route, where: { language: 'en' } };
  expect(routeMatches(english, 'text', { source: 's', language: 'en', attributes: {} })).toBe(true);
  expect(routeMatches(english, 'text', { source: 's', language: null, attributes: {} })).toBe(false);
});

test('chosen are the steps of the tasks or the names, and those that they read and that are not known', () => {
  const steps = [step('classify'), { ...step('other'), task: 'u' }, { ...step('embed', 'a-${labels.classify|x}'), task: 'u' }];
  const route: Route = { name: 'r', from: 'text', where: {}, steps };
  const chosen = (named: readonly string[] | undefined, tasks: readonly string[], known: readonly string[] = []): readonly string[] =>
    chosenSteps(route, { named: named === undefined ? undefined : new Set(named), tasks, known: new Map(known.map((name) => [name, 'l'])) }).map(({ name }) => name);
  expect(chosen(undefined, [])).toEqual(['classify', 'other', 'embed']);
  expect(chosen(undefined, ['t'])).toEqual(['classify']);
  expect(chosen(undefined, ['u'])).toEqual(['classify', 'other', 'embed']);
  expect(chosen(undefined, ['v'])).toEqual([]);
  expect(chosen(['r/embed'], [])).toEqual(['classify', 'embed']);
  expect(chosen(['r/embed'], ['v'], ['classify'])).toEqual(['embed']);
  expect(chosen(['s/embed'], [])).toEqual([]);
});
