/** Samples that come in pieces, copied together: a decoder may give millions of pieces of a few samples, each of which would cost more than they do. */

const blockLength = 65_536;

type SampleCollector = {
  readonly push: (samples: Float32Array) => void;
  /** All of them in their order. */
  readonly joined: () => Float32Array;
};

export function createSampleCollector(): SampleCollector {
  const full: Float32Array[] = [];
  let last = new Float32Array(blockLength);
  let lastLength = 0;
  return {
    push: (samples) => {
      for (let from = 0; from < samples.length; ) {
        const part = samples.subarray(from, from + blockLength - lastLength);
        last.set(part, lastLength);
        from += part.length;
        lastLength += part.length;
        if (lastLength < blockLength) return;
        full.push(last);
        last = new Float32Array(blockLength);
        lastLength = 0;
      }
    },
    joined: () => {
      const whole = new Float32Array(full.length * blockLength + lastLength);
      for (const [index, block] of full.entries()) whole.set(block, index * blockLength);
      whole.set(last.subarray(0, lastLength), full.length * blockLength);
      return whole;
    },
  };
}
