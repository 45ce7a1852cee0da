"""What the two models that read hashed subwords have in common: the preprocessing but for the number of buckets, the shapes
in which they are executed, and how a script runs and proves them."""

import bucket_table
import bundle
import numpy as np
from hashed_subwords import hashed_subwords

PREPROCESSING = {
    "kind": "hashed-subwords",
    "wordBuckets": None,
    "ngramBuckets": None,
    "ngramLengthMin": 4,
    "ngramLengthMax": 4,
    "maxWordLength": 32,
    "maxCharacters": 8192,
    "maxTokens": 1024,
}
SHAPES = {"batchSizes": [1, 16], "lengths": [64, 256, 1024]}


def run(session, texts: list[str], preprocessing: dict) -> np.ndarray:
    tokens = [hashed_subwords(text, preprocessing) for text in texts]
    return np.stack([session.run(None, bucket_table.feed([item], SHAPES["lengths"]))[0][0] for item in tokens])


def prove(session, texts: list[str], preprocessing: dict) -> None:
    """Batch invariance per length bucket, as it is executed: only items of one bucket share a batch."""
    tokens = [hashed_subwords(text, preprocessing) for text in texts]
    shortest = 0
    for length in SHAPES["lengths"]:
        items = [item for item in tokens if shortest < len(item[0]) <= length]
        shortest = length
        run_items = lambda chosen: session.run(  # noqa: E731
            None, bucket_table.feed([items[index] for index in chosen], [length])  # noqa: B023
        )[0]
        bundle.prove_batch_invariance(run_items, len(items), SHAPES["batchSizes"], seed=length)
        print(f"batch invariance: {len(items)} texts of up to {length} ids", flush=True)


def known_answers(texts: list[str], answers: np.ndarray) -> list[dict]:
    return [
        {"input": {"kind": "text", "text": text}, "output": bundle.decimals(answer), "tolerance": 1e-5}
        for text, answer in zip(texts, answers)
    ]
