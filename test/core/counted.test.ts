import { expect, test } from 'vitest';
import { counted } from '../../src/core/counted.ts';

test.each([[0, '0 clusters'], [1, '1 cluster'], [1n, '1 cluster'], [2, '2 clusters'], [12345678901234567890n, '12345678901234567890 clusters']] as const)('%s', (count, text) => {
  expect(counted(count, 'cluster')).toBe(text);
});
