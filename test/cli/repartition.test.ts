// Where the state of a repartition would lie where only one host finds it, an operator has to say that there is only one.
import { expect, test } from 'vitest';
import { parseConfiguration } from '../../src/config/load.ts';
import { requireFindableState } from '../../src/cli/repartition.ts';

const broker = 'transport: { kind: kafka, brokers: ["b:9092"] }';

test.each([
  ['transport: { kind: log }', false, undefined],
  [broker, false, 'LS_CLI_USAGE'],
  [broker, true, undefined],
  [`${broker}\nstate: { kind: shared-directory }`, false, undefined],
])('%s, --one-host: %s', (text, oneHost, expected) => {
  const { configuration } = parseConfiguration(text, { file: '/c.yaml', environment: {}, assignments: [], tasks: [] });
  const codeOf = (): unknown => {
    try {
      requireFindableState(configuration!, oneHost);
      return undefined;
    } catch (error) {
      return (error as { readonly code: unknown }).code;
    }
  };
  expect(codeOf()).toBe(expected);
});
