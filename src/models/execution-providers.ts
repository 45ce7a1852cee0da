/** What computes a model: execution providers of onnxruntime, in the order in which they are asked for its operators. */
import './onnxruntime-telemetry.ts';
import { modelError } from '../core/errors/model.ts';

export type ExecutionProvider = {
  /** As onnxruntime calls it: cpu, cuda, webgpu. */
  readonly name: string;
  /** Options of its own, such as deviceId. */
  readonly [option: string]: string | number | boolean;
};

export const defaultExecutionProviders: readonly ExecutionProvider[] = [{ name: 'cpu' }];

/**
 * Rejects with LS_MODEL_PROVIDER where this build of onnxruntime has no such provider. Whether a device is there, and the libraries of one that is not
 * bundled, shows when the model is loaded; that it computes what it should, by the known answers.
 */
export async function requireProviders(providers: readonly ExecutionProvider[] = defaultExecutionProviders): Promise<void> {
  // Every build has it: who wants nothing else need not load onnxruntime to be told so.
  if (providers.every(({ name }) => name === 'cpu')) return;
  const { listSupportedBackends } = await import('onnxruntime-node');
  const supported = listSupportedBackends().map(({ name }) => name);
  for (const { name } of providers) {
    if (supported.includes(name)) continue;
    const message = `there is no execution provider ${JSON.stringify(name)} in this build of onnxruntime; there are: ${supported.join(', ')}`;
    throw modelError('LS_MODEL_PROVIDER', message, { provider: name });
  }
}

/** For messages. */
export function providerNames(providers: readonly ExecutionProvider[]): string {
  return providers.map(({ name }) => name).join(', ');
}
