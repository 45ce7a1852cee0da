import { describe, expect, it } from 'vitest';
import { createFailureWindow } from '../../src/pipeline/failure-window.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';

describe('the failure window', () => {
  it('tips with the 51st failure of one code among 100, not with as many of two codes', () => {
    const window = createFailureWindow();
    for (let item = 0; item < 50; item += 1) window.record(['A']);
    expect(window.tippedBy(['B'])).toBeUndefined();
    expect(window.tippedBy([])).toBeUndefined();
    expect(window.tippedBy(['B', 'A'])).toBe('A');
    for (let item = 0; item < 49; item += 1) window.record([]);
    expect(window.tippedBy(['A'])).toBe('A');
    window.record([]);
    // The oldest failure leaves as this one enters.
    expect(window.tippedBy(['A'])).toBeUndefined();
  });

  it('counts an item once, however often it names a code', () => {
    const window = createFailureWindow();
    for (let item = 0; item < 30; item += 1) window.record(['A', 'A']);
    expect(window.tippedBy(['A', 'A'])).toBeUndefined();
  });

  it('equals counting the last hundred again each time', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const random = seededRandom(seed);
      const window = createFailureWindow();
      const items: string[][] = [];
      for (let item = 0; item < 500; item += 1) {
        const codes = ['A', 'B'].filter(() => random() < 0.5);
        const last = [...items, codes].slice(-100);
        const tipping = codes.find((code) => last.filter((each) => each.includes(code)).length > 50);
        expect(window.tippedBy(codes), `seed ${seed}`).toBe(tipping);
        window.record(codes);
        items.push(codes);
      }
    }
  });
});
