import './onnxruntime-telemetry.ts';
import { Tensor } from 'onnxruntime-node';

/**
 * A float16 tensor from its bits. Where the runtime has Float16Array (Node 24), `new Tensor('float16', …)` makes one of it, which the native side of
 * onnxruntime-node 1.30 takes for empty ("not enough space: expected N, got 0"); it does take the bits under that type.
 */
export function halfTensor(bits: Uint16Array, dims: readonly number[]): Tensor {
  return Object.defineProperty(new Tensor('uint16', bits, dims), 'type', { value: 'float16' });
}
