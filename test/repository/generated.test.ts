import { expect, test } from 'vitest';
import { staleFiles } from '../../scripts/generate.ts';

test('every generated file is what its source gives now', async () => {
  expect(await staleFiles(), 'run npm run generate').toEqual([]);
});
