"""Makes models/static-text-encoder: a text's vector is the sum of its buckets' rows, and the rows are fitted
so that the sum resembles what the teacher says, centred, reduced to 64 dimensions and whitened.

Three steps. The teacher's vectors of dictionary texts give the projection. Word vectors are fitted to the
projected texts, held near the teacher's vector of each word alone. Buckets are fitted to the words."""

import bucket_table
import bundle
import evaluation_texts
import numpy as np
import teacher
import word_lists
from hashed_subwords import hashed_subwords
from onnx import helper
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score

FOLDER = bundle.MODELS / "static-text-encoder"
DIMENSIONS = 64
PREPROCESSING = {
    "kind": "hashed-subwords",
    "wordBuckets": 65536,
    "ngramBuckets": 24576,
    "ngramLengthMin": 4,
    "ngramLengthMax": 4,
    "maxWordLength": 32,
    "maxCharacters": 8192,
    "maxTokens": 1024,
}
SHAPES = {"batchSizes": [1, 16], "lengths": [64, 256, 1024]}
# A word that no text uses keeps half the length that it has alone; the more texts, the less this counts.
ALONE_SHARE, ALONE_PENALTY = 0.5, 0.05
BUCKET_PENALTY = 0.05
EXAMPLES = [
    "The central bank raised interest rates by a quarter of a point.",
    "A comet passed the telescope last night",
    "goalkeeper saves penalty",
    "Zyxwvut qwertzuiop",
]


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def fit_projection(vectors: np.ndarray):
    """Centre, PCA, whiten, normalise: whitened vectors chain less under DBSCAN."""
    mean = vectors.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov((vectors - mean).T.astype(np.float64)))
    order = np.argsort(-variances)[:DIMENSIONS]
    # An eigenvector's sign is arbitrary: fix it, or another build of LAPACK mirrors the space.
    chosen = axes[:, order] * np.sign(axes[np.abs(axes[:, order]).argmax(axis=0), order])
    matrix = (chosen / np.sqrt(variances[order])).astype(np.float32)
    return lambda given: unit((given - mean) @ matrix)


def fit_words(texts, targets, words, word_targets, parameters, penalty=ALONE_PENALTY):
    """Word vectors whose mean over a text is near its target. Returns lexicon, vectors, texts per word."""
    lexicon = bucket_table.Lexicon(parameters)
    shares = lexicon.count_words(texts)
    for word in words:
        lexicon.number(word)
    shares = bucket_table.widen(shares, len(lexicon.numbers))
    start = np.zeros((len(lexicon.numbers), targets.shape[1]), np.float32)
    start[[lexicon.numbers[word] for word in words]] = ALONE_SHARE * word_targets
    vectors = bucket_table.ridge(shares, targets, penalty, start)
    return lexicon, vectors, np.asarray((shares > 0).sum(axis=0)).ravel()


def fit_buckets(lexicon, vectors, text_counts) -> np.ndarray:
    """A common word's error matters more, for it is met more often."""
    buckets = lexicon.buckets()
    start = np.zeros((buckets.shape[1], vectors.shape[1]), np.float32)
    importance = (text_counts + 1).astype(np.float32)
    return bucket_table.ridge(buckets, vectors, BUCKET_PENALTY, start, importance, steps=40)


def write_model(table: np.ndarray) -> None:
    # A text of which nothing is known sums to zero, which has no direction; a step too small to matter elsewhere gives it one.
    nudge = np.zeros(DIMENSIONS, np.float32)
    nudge[0] = 1e-6
    nodes = bucket_table.sum_nodes() + [
        helper.make_node("Add", ["sums", "nudge"], ["vectors"]),
        helper.make_node("Transpose", ["vectors"], ["columns"], perm=[0, 2, 1]),
        # As a product per item, its order of addition is that of one item, whatever the batch.
        helper.make_node("MatMul", ["vectors", "columns"], ["squares"]),
        helper.make_node("Sqrt", ["squares"], ["lengths"]),
        helper.make_node("Div", ["vectors", "lengths"], ["unit_vectors"]),
        helper.make_node("Squeeze", ["unit_vectors", "item_axis"], ["embedding"]),
    ]
    initializers = bucket_table.sum_initializers(table) + [bundle.constant("nudge", nudge)]
    outputs = [("embedding", "float32", ["batch", DIMENSIONS])]
    bundle.save_model(
        FOLDER / "model.onnx", "static-text-encoder", nodes, bucket_table.INPUTS, outputs, initializers
    )


def encode(session, texts: list[str]) -> np.ndarray:
    tokens = [hashed_subwords(text, PREPROCESSING) for text in texts]
    rows = [session.run(None, bucket_table.feed([item], SHAPES["lengths"]))[0][0] for item in tokens]
    return np.stack(rows)


def correlation(session, texts: list[str], seed: int) -> float:
    """Pearson's, of the cosines of 20,000 random pairs, with the teacher's."""
    pairs = np.random.default_rng(seed).integers(0, len(texts), (20000, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    cosines = [(v[pairs[:, 0]] * v[pairs[:, 1]]).sum(axis=1) for v in (encode(session, texts), teacher.embed(texts))]
    return round(float(np.corrcoef(cosines)[0, 1]), 3)


def cluster_news(session) -> list[dict]:
    """Cosine DBSCAN of all of AG News at several eps; noise counts as one group in the adjusted Rand index."""
    texts, classes = evaluation_texts.ag_news()
    vectors = encode(session, texts)
    distances = np.clip(1 - vectors @ vectors.T, 0, 2)
    found = []
    for eps in (0.22, 0.24, 0.26, 0.28, 0.3, 0.32, 0.34, 0.36):
        labels = DBSCAN(eps=eps, min_samples=5, metric="precomputed").fit_predict(distances)
        sizes = np.bincount(labels[labels >= 0], minlength=1)
        found.append(
            {
                "eps": eps,
                "adjustedRandIndex": round(float(adjusted_rand_score(classes, labels)), 3),
                "clusters": int(labels.max() + 1),
                "noiseShare": round(float((labels < 0).mean()), 3),
                "largestShare": round(float(sizes.max() / len(labels)), 3),
            }
        )
        print(found[-1], flush=True)
    return found


def measure(session) -> dict:
    news = evaluation_texts.sample(evaluation_texts.ag_news()[0], 1000, seed=1)
    banking = evaluation_texts.sample(evaluation_texts.banking77()[0], 1000, seed=2)
    return {
        "correlationWithTeacher": {"agNews": correlation(session, news, 3), "banking77": correlation(session, banking, 4)},
        "agNewsCosineDbscanMinPoints5": cluster_news(session),
    }


def prove(session, texts: list[str]) -> None:
    """Batch invariance per length bucket, as it is executed: only items of one bucket share a batch."""
    tokens = [hashed_subwords(text, PREPROCESSING) for text in texts]
    shortest = 0
    for length in SHAPES["lengths"]:
        items = [item for item in tokens if shortest < len(item[0]) <= length]
        shortest = length
        run = lambda chosen: session.run(  # noqa: E731
            None, bucket_table.feed([items[index] for index in chosen], [length])  # noqa: B023
        )[0]
        bundle.prove_batch_invariance(run, len(items), SHAPES["batchSizes"], seed=length)
        print(f"batch invariance: {len(items)} texts of up to {length} ids", flush=True)


def manifest(session, quality: dict) -> dict:
    answers = encode(session, EXAMPLES)
    return {
        "name": "static-text-encoder",
        "version": "1.0.0",
        "task": "text-features",
        "licence": "MIT",
        "source": "scripts/models/static_text_encoder.py, distilled from all-MiniLM-L6-v2 (Apache-2.0) over the word list wamerican and WordNet 3.0 of Debian",
        "preprocessing": PREPROCESSING,
        "postprocessing": {"kind": "vector", "output": "embedding", "dimensions": DIMENSIONS},
        "executedShapes": SHAPES,
        "reproducible": True,
        "knownAnswers": [
            {"input": {"kind": "text", "text": text}, "output": bundle.decimals(answer), "tolerance": 1e-5}
            for text, answer in zip(EXAMPLES, answers)
        ],
        "quality": quality,
    }


def main() -> None:
    words = sorted(set(word_lists.american_words()) | set(teacher.whole_words()))
    texts = word_lists.wordnet_texts()
    word_vectors, text_vectors = teacher.embed(words), teacher.embed(texts)
    project = fit_projection(text_vectors)
    lexicon, vectors, counts = fit_words(texts, project(text_vectors), words, project(word_vectors), PREPROCESSING)
    write_model(fit_buckets(lexicon, vectors, counts))

    session = bundle.open_session(FOLDER / "model.onnx")
    short = words[:200] + texts[:: len(texts) // 300]
    joined = [" ".join(texts[start : start + 4]) for start in range(0, 400, 4)]
    longest = [" ".join(texts[start : start + 20]) for start in range(0, 1000, 20)]
    prove(session, short + joined + longest)
    quality = {"words": len(words), "texts": len(texts), "sizeOfLexicon": len(lexicon.numbers), **measure(session)}
    bundle.write_manifest(FOLDER, manifest(session, quality))


if __name__ == "__main__":
    main()
