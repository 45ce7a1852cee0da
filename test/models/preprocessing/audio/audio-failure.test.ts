// A decoder that breaks is told from one that refuses, and a machine without memory from both.
import { expect, test } from 'vitest';
import { audioError } from '../../../../src/core/errors/audio.ts';
import { audioFailure } from '../../../../src/models/preprocessing/audio/audio-failure.ts';

/** The library that has its types is the browser's. */
type WebAssemblyGlobal = { readonly Module: new (bytes: Uint8Array) => object; readonly Instance: new (program: object) => { readonly exports: { readonly f: () => void } } };

const { WebAssembly } = globalThis as typeof globalThis & { readonly WebAssembly: WebAssemblyGlobal };

/** What a call throws. */
function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

test('a trap of WebAssembly is the doing of a decoder or an item', () => {
  // One function that is `unreachable`, and exported as f.
  const bytes = Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 5, 1, 3, 0, 0, 11]);
  const { f } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
  const failure = audioFailure(thrownBy(f));
  expect(failure).toMatchObject({ code: 'LS_AUDIO_DECODER', message: expect.stringContaining('unreachable') as string });
  expect(failure.description.cause).toBe('input');
});

test('a lack of memory is the machine\'s', () => {
  const failure = audioFailure(thrownBy(() => new Float32Array(2 ** 50)));
  expect(failure.code).toBe('LS_AUDIO_RESOURCES');
  expect(failure.description.retryable).toBe(true);
  expect(audioFailure(new RangeError('WebAssembly.Memory(): could not allocate memory')).code).toBe('LS_AUDIO_RESOURCES');
});

test('what has a code keeps it', () => {
  const error = audioError('LS_AUDIO_CORRUPT', 'damaged');
  expect(audioFailure(error)).toBe(error);
});
