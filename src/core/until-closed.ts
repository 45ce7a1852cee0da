/**
 * Chunks that are made as they are asked for, of something that is held open for them.
 * @param close called once, at the end or at `return`, also where nothing was taken.
 */
export function untilClosed(chunks: Generator<Buffer>, close: () => void): IterableIterator<Buffer> {
  let isOpen = true;
  const end = (): void => {
    if (isOpen) close();
    isOpen = false;
  };
  const iterator: IterableIterator<Buffer> = {
    next: () => {
      const result = chunks.next();
      if (result.done === true) end();
      return result.done === true ? { done: true, value: undefined } : result;
    },
    return: () => {
      chunks.return(undefined);
      end();
      return { done: true, value: undefined };
    },
    [Symbol.iterator]: () => iterator,
  };
  return iterator;
}
