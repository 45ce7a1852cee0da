import './onnxruntime-telemetry.ts';
import { Tensor } from 'onnxruntime-node';
import { float16Bits, float16Value } from './float16.ts';

/**
 * A float16 tensor from its bits. Where the runtime has Float16Array (Node 24), `new Tensor('float16', …)` makes one of it, which the native side of
 * onnxruntime-node 1.30 takes for empty ("not enough space: expected N, got 0"); it does take the bits under that type.
 */
export function halfTensor(bits: Uint16Array, dims: readonly number[]): Tensor {
  return Object.defineProperty(new Tensor('uint16', bits, dims), 'type', { value: 'float16' });
}

/** Rounded to float16. */
export function halved(values: Float32Array, dims: readonly number[]): Tensor {
  return halfTensor(Uint16Array.from(values, float16Bits), dims);
}

/** The numbers of a float32 or a float16 tensor; undefined of any other. */
export function floatsOf(tensor: Tensor | undefined): Float32Array | undefined {
  if (tensor?.type === 'float32') return tensor.data as Float32Array;
  // Bits in a Uint16Array; where the runtime knows Float16Array, the numbers themselves.
  if (tensor?.type === 'float16') return tensor.data instanceof Uint16Array ? Float32Array.from(tensor.data, float16Value) : Float32Array.from(tensor.data as Float32Array);
  return undefined;
}
