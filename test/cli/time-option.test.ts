import { expect, test } from 'vitest';
import { landmarkText, parsedLandmark, parsedTime } from '../../src/cli/time-option.ts';

test.each([
  ['2026-05-17', Date.UTC(2026, 4, 17)],
  ['2026-05-17T08:30Z', Date.UTC(2026, 4, 17, 8, 30)],
  ['2026-05-17T08:30:01.25Z', Date.UTC(2026, 4, 17, 8, 30, 1, 250)],
  ['2026-05-17T08:30:00+02:00', Date.UTC(2026, 4, 17, 6, 30)],
])('%s is a time', (text, timeMs) => {
  expect(parsedTime('--from', text)).toBe(timeMs);
  expect(parsedLandmark('--from', text)).toEqual({ appendTimeMs: timeMs });
});

// What a machine's own time zone, or the leniency of Date.parse, would make something of.
test.each(['', ' ', '2026-05-17T08:30', '2026-05-17 08:30', '2026-13-01', '2026-02-17T25:00Z', '17.05.2026', 'May 17, 2026', 'now', '-1', '1.5', '9'.repeat(19)])(
  '%j is neither a time nor a sequence',
  (text) => {
    expect(() => parsedLandmark('--from', text)).toThrow(expect.objectContaining({ code: 'LS_CLI_USAGE', message: expect.stringContaining(`--from ${text} is no time`) as string }));
  },
);

test('a whole number is a sequence', () => {
  expect(parsedLandmark('--from', '0')).toEqual({ sequence: 0n });
  expect(parsedLandmark('--from', '9007199254740993')).toEqual({ sequence: 9007199254740993n });
  expect(landmarkText({ sequence: 9007199254740993n })).toBe('sequence 9007199254740993');
  expect(landmarkText({ appendTimeMs: 0 })).toBe('1970-01-01T00:00:00.000Z');
});
