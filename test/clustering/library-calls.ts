/** Calls of the library that are mistakes. */
import { LabelstreamError } from '../../src/clustering/index.ts';

/** What no type allows, and a program in JavaScript gives. */
export const untyped = (value: unknown): never => value as never;

/** The code of what a call throws or rejects with. */
export async function codeOf(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (error) {
    if (error instanceof LabelstreamError) return error.code;
    throw error;
  }
  return 'nothing is thrown';
}
