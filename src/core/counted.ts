/** `1 record`, `2 records`, `0 records`: of nouns that only take an s. */
export function counted(count: number | bigint, noun: string): string {
  return `${count} ${noun}${BigInt(count) === 1n ? '' : 's'}`;
}
