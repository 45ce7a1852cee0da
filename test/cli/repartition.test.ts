// Where the state of a repartition would lie where only one host finds it, an operator has to say that there is only one.
import { expect, test } from 'vitest';
import { parseConfiguration } from '../../src/config/load.ts';
import { isStateFindable } from '../../src/cli/repartition.ts';

const broker = 'transport: { kind: kafka, brokers: ["b:9092"] }';

test.each([
  ['transport: { kind: log }', false, true],
  [broker, false, false],
  [broker, true, true],
  [`${broker}\nstate: { kind: shared-directory }`, false, true],
])('%s, --one-host: %s', (text, oneHost, expected) => {
  const { configuration } = parseConfiguration(text, { file: '/c.yaml', environment: {}, assignments: [], tasks: [] });
  expect(isStateFindable(configuration!, oneHost)).toBe(expected);
});
