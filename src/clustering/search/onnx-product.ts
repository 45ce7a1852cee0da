/** Matrix products by onnxruntime, which is the fastest way that Node has to them. A run blocks its thread, so it belongs into a worker. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { integerProductGraph, productGraph } from './kernels.generated.ts';
import type { IntegerProduct, Product, Products } from './scan-context.ts';

export type OpenProducts = Products & { readonly release: () => Promise<void> };

/** Computed by the calling thread alone. */
export async function openProducts(): Promise<OpenProducts> {
  const open = (graph: string): Promise<InferenceSession> =>
    // A copy of its own: onnxruntime takes no pooled memory here.
    InferenceSession.create(Uint8Array.from(Buffer.from(graph, 'base64')), {
      executionProviders: ['cpu'],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      logSeverityLevel: 4,
    });
  const [realSession, integerSession] = [await open(productGraph), await open(integerProductGraph)];
  const reals: Product = async (queries, rows, width, out) => {
    const count = queries.length / width;
    const feeds = { queries: new Tensor('float32', queries, [count, width]), rows: new Tensor('float32', rows, [rows.length / width, width]) };
    const { scores } = await realSession.run(feeds, { scores: new Tensor('float32', out, [count, rows.length / width]) });
    letGo(scores, out);
  };
  const integers: IntegerProduct = async (rows, queries, width, out) => {
    const depth = queries.length / width;
    const feeds = { rows: new Tensor('uint8', rows, [rows.length / depth, depth]), queries: new Tensor('int8', queries, [depth, width]) };
    const { products } = await integerSession.run(feeds, { products: new Tensor('int32', out, [rows.length / depth, width]) });
    letGo(products, out);
  };
  return {
    reals,
    integers: (await isExact(integers)) ? integers : undefined,
    release: async () => {
      await realSession.release();
      await integerSession.release();
    },
  };
}

/** Beside what it writes where it is told to, onnxruntime gives a copy of it: 64 MB of those would be kept before V8 looks for what nobody needs. */
function letGo(copy: Tensor | undefined, out: Float32Array | Int32Array): void {
  const buffer = copy?.data instanceof Float32Array || copy?.data instanceof Int32Array ? copy.data.buffer : undefined;
  if (buffer instanceof ArrayBuffer && buffer !== out.buffer) buffer.transfer(0);
}

/** The known answer of the largest operands there are, which is where a processor that adds in 16 bits would saturate, and of some others. */
async function isExact(product: IntegerProduct): Promise<boolean> {
  const [count, depth, width] = [48, 200, 16];
  const rows = Uint8Array.from({ length: count * depth }, (_, index) => (index < 16 * depth ? 255 : (index * 7_919) % 256));
  const queries = Int8Array.from({ length: depth * width }, (_, index) => (index % width < 4 ? 63 : index % width < 8 ? -63 : ((index * 104_729) % 127) - 63));
  const out = new Int32Array(count * width);
  await product(rows, queries, width, out);
  return out.every((found, index) => {
    const [row, column] = [Math.floor(index / width), index % width];
    let wanted = 0;
    for (let at = 0; at < depth; at++) wanted += (rows[row * depth + at] as number) * (queries[at * width + column] as number);
    return found === wanted;
  });
}
