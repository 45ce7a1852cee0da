/** How much garbage V8 lets lie: by default each thread's heap grows to several times what lives in it, which here is little beside the columns and buffers around it. */
import { setFlagsFromString } from 'node:v8';

/** Of the heap of each thread, beyond what lived when it was last looked for. */
const growthPercentMax = 50;

/** For the whole process, and threads that start from here on: once, when it begins. */
export function limitHeaps(): void {
  setFlagsFromString(`--heap-growing-percent=${growthPercentMax}`);
  // The main thread has what the environment says. Left as it is, it would take the place of what other threads ask for (`resourceLimits`).
  setFlagsFromString('--max-semi-space-size=0');
}
