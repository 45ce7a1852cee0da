/**
 * Embeddings of the sentences that stand for classes: steps ask for the same ones with every image. A text is executed alone, so that what is kept
 * is what would be computed. Bounded: the one that was not asked for the longest time goes.
 */
export type EmbeddingCache = {
  /** Rejects with what the computation rejects with, and keeps nothing then. */
  readonly of: (sentence: string) => Promise<Float64Array>;
};

/** Four times as many as a step may name; with 768 dimensions and the sentences themselves some 40 MB at the most. */
const embeddingsMaxDefault = 4_000;

export function createEmbeddingCache(compute: (sentence: string) => Promise<Float64Array>, embeddingsMax = embeddingsMaxDefault): EmbeddingCache {
  const kept = new Map<string, Float64Array>();
  return {
    of: async (sentence) => {
      const embedding = kept.get(sentence) ?? (await compute(sentence));
      // A map gives its keys in the order in which they were set: the first one was asked for the longest time ago.
      kept.delete(sentence);
      kept.set(sentence, embedding);
      const oldest = kept.keys().next();
      if (kept.size > embeddingsMax && oldest.done !== true) kept.delete(oldest.value);
      return embedding;
    },
  };
}
