/** The one place where sessions of onnxruntime are made: from bytes, with one thread each. */
import './onnxruntime-telemetry.ts';
import { InferenceSession } from 'onnxruntime-node';
import { modelError } from '../core/errors/model.ts';
import { providerNames, type ExecutionProvider } from './execution-providers.ts';
import type { GraphFile } from './repository.ts';

export type SessionSettings = {
  /** Of the model, for messages. */
  readonly directory: string;
  readonly executionProviders: readonly ExecutionProvider[];
  readonly dequantise?: boolean;
};

/** Rejects with LS_MODEL_LOAD, or LS_MODEL_PROVIDER where another provider than the CPU was asked for. */
export async function createSession({ path, bytes, externalData }: GraphFile, { directory, executionProviders, dequantise = false }: SessionSettings): Promise<InferenceSession> {
  try {
    // onnxruntime takes no shared memory, so each session is made from a copy of its own, which is garbage afterwards.
    return await InferenceSession.create(Uint8Array.from(bytes), {
      executionProviders: executionProviders.map((provider) => ({ ...provider })),
      // One thread per session: sums then have one order, and the workers together use the cores.
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      logSeverityLevel: 4,
      ...(dequantise ? { extra: { session: { disable_quant_qdq: '1' } } } : {}),
      externalData: externalData.map((data) => ({ path: data.path, data: Uint8Array.from(data.bytes) })),
    });
  } catch (error) {
    const message = `onnxruntime cannot load ${path} in ${directory}: ${error instanceof Error ? error.message : String(error)}`;
    if (executionProviders.some(({ name }) => name !== 'cpu')) {
      throw modelError('LS_MODEL_PROVIDER', `${message} (execution providers: ${providerNames(executionProviders)})`, { directory, file: path }, { cause: error });
    }
    throw modelError('LS_MODEL_LOAD', message, { directory, file: path }, { cause: error });
  }
}
