"""Makes models/static-text-encoder: a text's vector is the normalised sum of its buckets' rows and an offset, which are
fitted to what the teacher says of words, dictionary texts and questions to a bank: see similarity_fit.py."""

import bucket_table
import bundle
import encoder_texts
import hashed_text_model
import numpy as np
import sample_texts
import similarity_fit
import teacher
import word_lists
from onnx import helper
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score

FOLDER = bundle.MODELS / "static-text-encoder"
DIMENSIONS = 128
PREPROCESSING = {**hashed_text_model.PREPROCESSING, "wordBuckets": 65536, "ngramBuckets": 32768}
# The small sources are passed twice in an epoch.
PASSES = {"words": 1, "wordnet": 1, "sentences": 2, "banking": 2}
EPS = (0.26, 0.28, 0.3, 0.32, 0.34, 0.36, 0.38, 0.4, 0.42)
EXAMPLES = [
    "The central bank raised interest rates by a quarter of a point.",
    "A comet passed the telescope last night",
    "goalkeeper saves penalty",
    "Zyxwvut qwertzuiop",
]


def fit(fitted: dict, teach) -> tuple[np.ndarray, np.ndarray]:
    lexicon = bucket_table.Lexicon(PREPROCESSING)
    counts = {source: lexicon.count_words(texts, as_shares=False) for source, texts in fitted.items()}
    buckets = lexicon.buckets()
    features = {source: (bucket_table.widen(count, len(lexicon.numbers)) @ buckets).tocsr() for source, count in counts.items()}
    vectors = {source: teach(texts) for source, texts in fitted.items()}
    projection = similarity_fit.fit_projection(np.vstack([vectors["wordnet"], vectors["banking"]]), DIMENSIONS)
    targets = {source: of_texts @ projection for source, of_texts in vectors.items()}
    return similarity_fit.fit(features, targets, PASSES, seed=7)


def write_model(table: np.ndarray, offset: np.ndarray) -> None:
    nodes = bucket_table.packed_sum_nodes() + [
        # A text of which nothing is known has the direction of the offset: its cosines are defined.
        helper.make_node("Add", ["sums", "offset"], ["vectors"]),
        helper.make_node("Transpose", ["vectors"], ["columns"], perm=[0, 2, 1]),
        # As a product per item, its order of addition is that of one item, whatever the batch.
        helper.make_node("MatMul", ["vectors", "columns"], ["squares"]),
        helper.make_node("Sqrt", ["squares"], ["lengths"]),
        helper.make_node("Div", ["vectors", "lengths"], ["unit_vectors"]),
        helper.make_node("Squeeze", ["unit_vectors", "item_axis"], ["embedding"]),
    ]
    initializers = bucket_table.packed_sum_initializers(table) + [bundle.constant("offset", offset)]
    outputs = [("embedding", "float32", ["batch", DIMENSIONS])]
    bundle.save_model(
        FOLDER / "model.onnx", "static-text-encoder", nodes, bucket_table.INPUTS, outputs, initializers
    )


def encode(session, texts: list[str]) -> np.ndarray:
    return hashed_text_model.run(session, texts, PREPROCESSING)


def correlation(session, texts: list[str], teach) -> float:
    """Pearson's, of the cosines of 20,000 random pairs, with the teacher's."""
    pairs = np.random.default_rng(3).integers(0, len(texts), (20000, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    cosines = [(v[pairs[:, 0]] * v[pairs[:, 1]]).sum(axis=1) for v in (encode(session, texts), teach(texts))]
    return round(float(np.corrcoef(cosines)[0, 1]), 3)


def cluster_news(session) -> list[dict]:
    """Cosine DBSCAN of all of AG News at several eps; noise counts as one group in the adjusted Rand index."""
    texts, classes = sample_texts.ag_news()
    vectors = encode(session, texts)
    distances = np.clip(1 - vectors @ vectors.T, 0, 2)
    found = []
    for eps in EPS:
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


def measure(session, fitted: dict, held_out: dict, teach) -> dict:
    sources = {"bankingIntents": "banking", "bankingRows": "banking", "wordnet": "wordnet"}
    judged = {
        name: encoder_texts.without_near_duplicates(texts, fitted[sources[name]], PREPROCESSING)
        for name, texts in held_out.items()
    }
    left_out = {name: len(texts) - len(judged[name]) for name, texts in held_out.items()}
    judged["banking"] = judged["bankingIntents"] + judged["bankingRows"]
    judged["agNews"] = sample_texts.ag_news()[0]
    quality = {
        "fittedTexts": {source: len(texts) for source, texts in fitted.items()},
        "heldOutOfBanking77": {
            "intents": encoder_texts.held_out_intents(),
            "sha256FirstByteBelow": encoder_texts.SHA256_FIRST_BYTE_BELOW,
        },
        "nearDuplicatesLeftOut": left_out,
        "correlationWithTeacherOnTextsNotFitted": {
            name: {"texts": len(texts), "correlation": correlation(session, texts, teach)} for name, texts in judged.items()
        },
    }
    print(bundle.json.dumps(quality, indent=2), flush=True)
    return {**quality, "agNewsCosineDbscanMinPoints5": cluster_news(session)}


def manifest(session, quality: dict) -> dict:
    return {
        "name": "static-text-encoder",
        "version": "2.0.0",
        "task": "text-features",
        "licence": "MIT",
        "source": "scripts/models/static_text_encoder.py, distilled from all-MiniLM-L6-v2 (Apache-2.0) over the word list wamerican and WordNet 3.0 of Debian, sentences of topic_texts.py, and banking77 (CC BY 4.0)",
        "preprocessing": PREPROCESSING,
        "postprocessing": {"kind": "vector", "output": "embedding", "dimensions": DIMENSIONS},
        "executedShapes": hashed_text_model.SHAPES,
        "reproducible": True,
        "knownAnswers": hashed_text_model.known_answers(EXAMPLES, encode(session, EXAMPLES)),
        "quality": quality,
    }


def main() -> None:
    fitted, held_out = encoder_texts.split()
    whole = [fitted["words"], word_lists.wordnet_texts(), fitted["sentences"]]
    samples = [[text for text, _ in sample_texts.banking77()], sample_texts.ag_news()[0]]
    teach = teacher.embed_once(whole + samples)
    write_model(*fit(fitted, teach))

    session = bundle.open_session(FOLDER / "model.onnx")
    texts = fitted["wordnet"]
    short = fitted["words"][:200] + texts[:: len(texts) // 300]
    joined = [" ".join(texts[start : start + 4]) for start in range(0, 400, 4)]
    longest = [" ".join(texts[start : start + 20]) for start in range(0, 1000, 20)]
    hashed_text_model.prove(session, short + joined + longest, PREPROCESSING)
    bundle.write_manifest(FOLDER, manifest(session, measure(session, fitted, held_out, teach)))


if __name__ == "__main__":
    main()
