/** As much of WebAssembly as is used, typed: the library that has its types is the browser's. */
export type SharedMemory = { readonly buffer: SharedArrayBuffer; readonly grow: (pages: number) => number };

type WebAssemblyGlobal = {
  readonly Memory: new (limits: { readonly initial: number; readonly maximum: number; readonly shared: true }) => SharedMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: { readonly store: { readonly memory: SharedMemory } }) => { readonly exports: Record<string, unknown> };
};

const { WebAssembly } = globalThis as typeof globalThis & { readonly WebAssembly: WebAssemblyGlobal };

export const pageBytes = 65_536;

/** Undefined where there are no addresses for it: V8 sets 8 GiB of them aside for each memory, whatever its maximum, of which a process has room for some 16,000. */
export function sharedMemory(initial: number, maximum: number): SharedMemory | undefined {
  if (notTried > 0) {
    notTried -= 1;
    return undefined;
  }
  try {
    return new WebAssembly.Memory({ initial, maximum, shared: true });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    notTried = notTriedAfterRefusal;
    return undefined;
  }
}

/** Before it refuses, V8 collects garbage several times over: seconds, where there are thousands of searches. So most of those that ask next are refused at once. */
const notTriedAfterRefusal = 255;
let notTried = 0;

/** Makes it at least that long. Returns whether the system has given that much. */
export function lengthen(memory: SharedMemory, pages: number): boolean {
  const missing = pages - memory.buffer.byteLength / pageBytes;
  try {
    if (missing > 0) memory.grow(missing);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** Compiles once per thread. */
export function instantiator(bytes: () => Uint8Array): (memory: SharedMemory) => Record<string, unknown> {
  let program: object | undefined;
  return (memory) => {
    program ??= new WebAssembly.Module(bytes());
    return new WebAssembly.Instance(program, { store: { memory } }).exports;
  };
}
