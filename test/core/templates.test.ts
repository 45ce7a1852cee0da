import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileTemplate, foldName, renderTemplate, stepsOf, type Template, type TemplateValues } from '../../src/core/templates.ts';

function compiled(text: string): Template {
  const template = compileTemplate(text);
  if ('mistake' in template) throw new Error(template.mistake);
  return template;
}

const nothing: TemplateValues = { fields: {}, attributes: {}, labels: new Map() };

test('a template takes the top label of an earlier step', () => {
  const template = compiled('pets-${labels.classify|other}');
  expect(stepsOf(template)).toEqual(['classify']);
  expect(renderTemplate(template, { ...nothing, labels: new Map([['classify', 'Tabby Cat']]) })).toBe('pets-tabby-cat');
});

test('the default serves an empty value only', () => {
  const template = compiled('a-${attributes.kind|none}');
  expect(renderTemplate(template, { ...nothing, attributes: { kind: '' } })).toBe('a-none');
  expect(renderTemplate(template, { ...nothing, attributes: { kind: 'x' } })).toBe('a-x');
  expect(renderTemplate(compiled('a-${source}'), nothing)).toBeUndefined();
});

test('an attribute named like a member of Object is not read from the prototype', () => {
  expect(renderTemplate(compiled('${attributes.constructor|safe}'), nothing)).toBe('safe');
});

test.each([
  ['${labels.classify', 'no closing brace'],
  ['${nothing}', 'is none of'],
  ['${attributes.}', 'is none of'],
  ['', 'needs a name'],
])('%s is refused: %s', (text, mistake) => {
  expect(compileTemplate(text)).toEqual({ mistake: expect.stringContaining(mistake) as string });
});

test('folding gives a name of the allowed form or nothing, and is idempotent', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (name) => {
      const folded = foldName(name);
      if (folded === undefined) return;
      expect(folded).toMatch(/^[a-z0-9._-]{1,100}$/);
      expect(foldName(folded)).toBe(folded);
    }),
  );
});

test('accents fold to their letters', () => {
  expect(foldName('Été à Zürich!')).toBe('ete-a-zurich');
  expect(foldName('日本')).toBeUndefined();
});
