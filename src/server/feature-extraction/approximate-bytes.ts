/** How much memory values of JSON take, about. */

/** Of what an object or a list is beside what it holds. */
const objectBytes = 32;

/** However deeply they are nested. */
export function approximateBytes(given: unknown): number {
  const left: unknown[] = [given];
  let bytes = 0;
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value === 'string') bytes += objectBytes + value.length;
    else if (typeof value !== 'object' || value === null) bytes += 8;
    else {
      bytes += objectBytes;
      for (const each of Object.values(value)) left.push(each);
    }
  }
  return bytes;
}
