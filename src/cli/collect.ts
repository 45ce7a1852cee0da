import { InvalidArgumentError } from 'commander';

/** The values of an option that may be repeated. */
export function collected(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

export function collectedPartition(value: string, before: readonly number[]): readonly number[] {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError('It is a whole number from 0.');
  return [...before, Number(value)];
}
