// Renders docs/errors.md from the error catalogue.
import { errorCatalogue } from '../src/core/errors/catalogue.ts';
import type { ErrorDescription } from '../src/core/errors/error.ts';

export function errorReference(): string {
  const rows = Object.entries<ErrorDescription>(errorCatalogue)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([code, { cause, retryable, summary, remedy }]) =>
      `| \`${code}\` | ${cause} | ${retryable ? 'yes' : 'no'} | ${escape(summary)} | ${escape(remedy)} |`);
  return [
    '# Errors',
    '',
    'Generated from `src/core/errors/` by `npm run generate`; do not edit. A code never changes its meaning. An error whose cause is the input',
    'goes to the topic `dead-letters` with its record; one that may pass by itself is retried first.',
    '',
    '| code | cause | retried | what it means | what to do |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

function escape(text: string): string {
  return text.replaceAll('|', '\\|');
}
