import { expect, test } from 'vitest';
import { seededRandom } from '../../../../src/core/seeded-random.ts';
import { scriptIn } from '../../../../src/models/preprocessing/image/foreign-content.ts';

const names = { '<?php': 'a PHP script', '<script': 'a script', '<html': 'an HTML document', '<!doctype': 'an HTML document', '<iframe': 'an HTML frame' };

test('a mark is found wherever it is, in letters of either case, and its beginnings are not', () => {
  const seed = 4_711;
  const random = seededRandom(seed);
  const window = 64 * 1024;
  for (const [mark, name] of Object.entries(names)) {
    const mixed = mark.replace(/[a-z]/g, (letter) => (random() < 0.5 ? letter.toUpperCase() : letter));
    for (const at of [0, 1, window - 9, window - 8, window - 3, window - 1, window, window + 1, 2 * window - 5, Math.floor(random() * 3 * window)]) {
      const bytes = Buffer.alloc(3 * window + 20, '<!<scrip<ht<?ph<ifram');
      expect(scriptIn(bytes)).toBeUndefined();
      bytes.write(mixed, at, 'latin1');
      expect(scriptIn(bytes), `seed ${seed}, ${mixed} at ${at}`).toBe(name);
    }
    expect(scriptIn(Buffer.from(mark.slice(0, -1)))).toBeUndefined();
    expect(scriptIn(Buffer.from(mark))).toBe(name);
  }
});
