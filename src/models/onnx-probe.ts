/** Asks onnxruntime what a graph gives: it is loaded and run once, on zeros, in the shape in which it will be executed. */
import './onnxruntime-telemetry.ts';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { modelError } from '../core/errors/model.ts';
import { halfTensor } from './half-tensor.ts';

export type OnnxSource = {
  /** For messages. */
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly opset: number;
  readonly dequantise: boolean;
  readonly externalData: readonly { readonly path: string; readonly bytes: Uint8Array }[];
};

export type ProbeInput = { readonly name: string; readonly type: 'float32' | 'float16'; readonly dims: readonly number[] };

export type ProbeOutput = { readonly type: string; readonly dims: readonly number[] };

export type OnnxProbe = {
  /** Rejects with LS_MODEL_IMPORT where the model fails on zeros. */
  readonly run: (input: ProbeInput, output: string) => Promise<ProbeOutput>;
  readonly close: () => Promise<void>;
};

/** Rejects with LS_MODEL_LOAD where onnxruntime does not take the model. */
export async function openProbe(source: OnnxSource): Promise<OnnxProbe> {
  const session = await opened(source);
  return { run: (input, output) => runOnZeros(session, source.file, input, output), close: () => session.release() };
}

async function runOnZeros(session: InferenceSession, file: string, input: ProbeInput, output: string): Promise<ProbeOutput> {
  try {
    const size = input.dims.reduce((product, dimension) => product * dimension, 1);
    const zeros = input.type === 'float16' ? halfTensor(new Uint16Array(size), input.dims) : new Tensor('float32', new Float32Array(size), input.dims);
    const { [output]: result } = await session.run({ [input.name]: zeros }, [output]);
    if (result === undefined) throw new RangeError(`it gives nothing for ${output}`);
    return { type: result.type, dims: result.dims };
  } catch (error) {
    const message = `${file} fails on zeros of the shape [${input.dims.join(', ')}]: ${messageOf(error)}`;
    throw modelError('LS_MODEL_IMPORT', message, { file }, { cause: error });
  }
}

async function opened({ file, bytes, opset, dequantise, externalData }: OnnxSource): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(bytes, {
      executionProviders: ['cpu'],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 4,
      ...(dequantise ? { extra: { session: { disable_quant_qdq: '1' } } } : {}),
      externalData: externalData.map(({ path, bytes: data }) => ({ path, data })),
    });
  } catch (error) {
    throw modelError('LS_MODEL_LOAD', `onnxruntime cannot load ${file} (opset ${opset}): ${messageOf(error)}`, { file, opset }, { cause: error });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
