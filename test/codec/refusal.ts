import { LabelstreamError } from '../../src/core/errors/error.ts';

/** What an action throws, which must be an error of this program. Undefined where it does not throw. */
export function refusalOf(action: () => unknown): LabelstreamError | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof LabelstreamError) return error;
    throw error;
  }
}
