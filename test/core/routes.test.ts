import { expect, test } from 'vitest';
import { orderSteps, routeMatches, type Route, type RouteStep } from '../../src/core/routes.ts';
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
