import { InvalidArgumentError } from 'commander';

/** Of an option; up to nine digits. */
export function wholeNumber(value: string): number {
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new InvalidArgumentError('It is a whole number from 1.');
  return Number(value);
}
