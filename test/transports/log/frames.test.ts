import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createFrameReader, encodeFrame, frameBytesMax, type Frame } from '../../../src/transports/log/frames.ts';

const frame = fc.record({
  header: fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.constant(null))),
  body: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
});

test('frames come out as they went in, wherever the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 20 }), (frames, cuts) => {
      const bytes = Buffer.concat(frames.map(({ header, body }) => encodeFrame(header, [body.subarray(0, 3), body.subarray(3)])));
      const reader = createFrameReader();
      const read: Frame[] = [];
      for (let offset = 0, index = 0; offset < bytes.length; index++) {
        const end = offset + cuts[index % cuts.length]!;
        read.push(...reader.push(bytes.subarray(offset, end)));
        offset = end;
      }
      const plain = frames.map(({ header, body }) => ({ header: JSON.parse(JSON.stringify(header)) as unknown, body: [...body] }));
      expect(read.map(({ header, body }) => ({ header, body: [...body] }))).toEqual(plain);
    }),
  );
});

test('a frame that is too large is refused where it would be made', () => {
  expect(() => encodeFrame({}, [Buffer.alloc(frameBytesMax)])).toThrow(expect.objectContaining({ code: 'LS_LOG_REQUEST_TOO_LARGE' }));
  expect(() => encodeFrame({ long: 'x'.repeat(3_000_000) })).toThrow(expect.objectContaining({ code: 'LS_LOG_REQUEST_TOO_LARGE' }));
});
