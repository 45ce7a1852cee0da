/** Values that many items share, each kept once under a small number, for as long as an item has it. */
export type Interned<Value> = {
  /** @returns its number, for one more item. */
  readonly take: (value: Value) => number;
  /** One item less has it. */
  readonly release: (number: number) => void;
  readonly at: (number: number) => Value | undefined;
  /** By number; null where there is none. */
  readonly entries: () => readonly (Value | null)[];
  /** What `entries` gave, into an empty one; no item has them yet. */
  readonly restore: (entries: readonly (Value | null)[]) => void;
  /** One item more has it. @returns whether there is such a number. */
  readonly retain: (number: number) => boolean;
};

export function createInterned<Value extends object | string>(keyOf: (value: Value) => string): Interned<Value> {
  const values: (Value | null)[] = [];
  const users: number[] = [];
  const numbers = new Map<string, number>();
  const free: number[] = [];
  const put = (value: Value): number => {
    const number = free.pop() ?? values.length;
    values[number] = value;
    users[number] = 0;
    numbers.set(keyOf(value), number);
    return number;
  };
  const retain = (number: number): boolean => {
    if ((values[number] ?? null) === null) return false;
    users[number] = (users[number] ?? 0) + 1;
    return true;
  };
  return {
    take: (value) => {
      const number = numbers.get(keyOf(value)) ?? put(value);
      retain(number);
      return number;
    },
    release: (number) => {
      const left = (users[number] ?? 0) - 1;
      users[number] = left;
      const value = values[number] ?? null;
      if (left > 0 || value === null) return;
      numbers.delete(keyOf(value));
      values[number] = null;
      free.push(number);
    },
    at: (number) => values[number] ?? undefined,
    entries: () => [...values],
    restore: (entries) => {
      for (const value of entries) {
        const number = values.length;
        values.push(value);
        users.push(0);
        if (value === null) free.push(number);
        else numbers.set(keyOf(value), number);
      }
    },
    retain,
  };
}
