"""Makes models/topic-classifier: a linear classifier over hashed subwords, a few hundred kilobytes.

A logistic regression on the teacher's vectors learns the topics from the terms and sentences of
topic_texts.py. Its logits for these and for dictionary texts are then fitted by one row of eight
numbers per bucket, so that words which no sentence of ours uses have a topic too."""

import bucket_table
import bundle
import encoder_texts
import hashed_text_model
import numpy as np
import sample_texts
import teacher
import topic_texts
import word_lists
from hashed_subwords import hashed_subwords
from onnx import helper
from sklearn.linear_model import LogisticRegression

FOLDER = bundle.MODELS / "topic-classifier"
LABELS = list(topic_texts.TOPICS)
PREPROCESSING = {**hashed_text_model.PREPROCESSING, "wordBuckets": 32768, "ngramBuckets": 16384}
# Every fifth term, with all its sentences, is kept back for the quality figure and the temperature.
HELD_OUT_TERMS = 5
# Our own sentences are few beside the dictionary's texts: each is entered this often.
REPETITIONS = 3
# Where the four classes of AG News lie among the eight topics; health and entertainment have no class there.
AG_NEWS_CLASS = {"world": 0, "politics": 0, "sports": 1, "business": 2, "technology": 3, "science": 3}
EXAMPLES = [
    "The striker scored twice as the visitors won the cup final",
    "Shares of the airline fell after a quarterly loss",
    "New vaccine protects children from malaria, doctors say",
    "The film won three awards and its director thanked the fans",
    "Hackers exploit a flaw in the web browser",
]


class Student:
    """The table in Python: what the ONNX file computes, before its softmax."""

    def __init__(self, texts, logits, words, word_logits):
        lexicon, vectors, counts = bucket_table.fit_words(texts, logits, words, word_logits, PREPROCESSING)
        self.table = bucket_table.fit_buckets(lexicon, vectors, counts)

    def logits(self, texts: list[str]) -> np.ndarray:
        rows = np.zeros((len(texts), len(LABELS)))
        for row, text in enumerate(texts):
            ids, weights = hashed_subwords(text, PREPROCESSING)
            rows[row] = np.array(weights) @ self.table[ids] / max(sum(weights), 1)
        return rows


def log_loss(logits: np.ndarray, labels: np.ndarray) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]).mean())


def held_out(text_count: int) -> np.ndarray:
    """Terms and their sentences follow each other, topic by topic."""
    mask = []
    for parts in topic_texts.TOPICS.values():
        sentences = 1 + len(topic_texts.phrases(parts["patterns"]))
        for index in range(len(topic_texts.phrases(parts["terms"]))):
            mask += [index % HELD_OUT_TERMS == 0] * sentences
    assert len(mask) == text_count
    return np.array(mask)


def distil(own, own_vectors, own_labels, dictionary, dictionary_vectors, words, word_vectors) -> Student:
    head = LogisticRegression(C=10, max_iter=1000).fit(own_vectors, own_labels)
    logits = lambda vectors: (lambda raw: raw - raw.mean(axis=1, keepdims=True))(  # noqa: E731
        head.decision_function(vectors)
    ).astype(np.float32)
    texts = dictionary + own * REPETITIONS
    targets = np.vstack([logits(dictionary_vectors)] + [logits(own_vectors)] * REPETITIONS)
    return Student(texts, targets, words, logits(word_vectors))


def write_model(table: np.ndarray, sharpness: float) -> None:
    nodes = bucket_table.sum_nodes() + [
        helper.make_node("Transpose", ["weight_columns_source"], ["weight_columns"], perm=[0, 2, 1]),
        # The sum of the weights, as a product per item: see bucket_table.sum_nodes.
        helper.make_node("MatMul", ["given_rows", "weight_columns"], ["weight_sums"]),
        helper.make_node("Max", ["weight_sums", "one"], ["divisors"]),
        helper.make_node("Div", ["sums", "divisors"], ["means"]),
        helper.make_node("Squeeze", ["means", "item_axis"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    nodes.insert(0, helper.make_node("Unsqueeze", ["weights", "item_axis"], ["given_rows"]))
    nodes.insert(1, helper.make_node("Sign", ["given_rows"], ["weight_columns_source"]))
    initializers = bucket_table.sum_initializers(table * sharpness)
    initializers.append(bundle.constant("one", np.array(1, np.float32)))
    outputs = [("probabilities", "float32", ["batch", len(LABELS)])]
    bundle.save_model(FOLDER / "model.onnx", "topic-classifier", nodes, bucket_table.INPUTS, outputs, initializers)


def measure_news(session) -> dict:
    texts, classes = sample_texts.ag_news()
    probabilities = hashed_text_model.run(session, texts, PREPROCESSING)
    mapped = np.array([AG_NEWS_CLASS.get(label, -1) for label in LABELS])
    all_labels = mapped[probabilities.argmax(axis=1)]
    only_mapped = mapped[np.where(mapped >= 0, probabilities, -1).argmax(axis=1)]
    names = ["world", "sports", "business", "scienceAndTechnology"]
    return {
        "texts": len(texts),
        "accuracy": round(float((all_labels == classes).mean()), 4),
        "accuracyAmongMappedTopics": round(float((only_mapped == classes).mean()), 4),
        "recall": {n: round(float((all_labels[classes == k] == k).mean()), 4) for k, n in enumerate(names)},
        "shareOfTopics": {n: round(float((probabilities.argmax(axis=1) == k).mean()), 4) for k, n in enumerate(LABELS)},
    }


def manifest(session, quality: dict) -> dict:
    answers = hashed_text_model.run(session, EXAMPLES, PREPROCESSING)
    for text, answer in zip(EXAMPLES, answers):
        print(f"{LABELS[answer.argmax()]:14s} {answer.max():.2f}  {text}")
    return {
        "name": "topic-classifier",
        "version": "1.0.0",
        "task": "text-classification",
        "licence": "MIT",
        "source": "scripts/models/topic_classifier.py, from sentences written there, distilled through all-MiniLM-L6-v2 (Apache-2.0) over the word list wamerican and WordNet 3.0 of Debian",
        "preprocessing": PREPROCESSING,
        "postprocessing": {"kind": "scores", "output": "probabilities"},
        "labels": LABELS,
        "executedShapes": hashed_text_model.SHAPES,
        "reproducible": True,
        "knownAnswers": hashed_text_model.known_answers(EXAMPLES, answers),
        "quality": quality,
    }


def main() -> None:
    pairs = topic_texts.labelled_texts()
    own = [text for text, _ in pairs]
    labels = np.array([LABELS.index(topic) for _, topic in pairs])
    words = encoder_texts.words()
    dictionary = word_lists.wordnet_texts()
    own_vectors, dictionary_vectors = teacher.embed(own), teacher.embed(dictionary)
    word_vectors = teacher.embed(words)

    test = held_out(len(own))
    kept = [text for text, out in zip(own, test) if not out]
    rest = [text for text, out in zip(own, test) if out]
    trial = distil(kept, own_vectors[~test], labels[~test], dictionary, dictionary_vectors, words, word_vectors)
    logits = trial.logits(rest)
    sharpness = min((0.5 * 1.1**step for step in range(40)), key=lambda s: log_loss(s * logits, labels[test]))
    accuracy = round(float((logits.argmax(axis=1) == labels[test]).mean()), 4)
    print(f"held out: accuracy {accuracy}, sharpness {sharpness:.2f}", flush=True)

    student = distil(own, own_vectors, labels, dictionary, dictionary_vectors, words, word_vectors)
    write_model(student.table, sharpness)
    session = bundle.open_session(FOLDER / "model.onnx")
    joined = [" ".join(own[start : start + 5]) for start in range(0, 500, 5)]
    longest = [" ".join(own[start : start + 30]) for start in range(0, 1500, 30)]
    hashed_text_model.prove(session, own[:400] + joined + longest, PREPROCESSING)
    quality = {
        "ownTexts": len(own),
        "heldOutTermsAccuracy": accuracy,
        "heldOutTexts": int(test.sum()),
        "agNews": measure_news(session),
    }
    print(bundle.json.dumps(quality, indent=2))
    bundle.write_manifest(FOLDER, manifest(session, quality))


if __name__ == "__main__":
    main()
