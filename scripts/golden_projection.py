"""Golden numbers for the fitted projection `whiten`, computed by numpy, which shares no code with the program.

    python scripts/golden_projection.py

writes test/clustering/projection/whiten.golden.json: samples, what is to be fitted to them, and the images of vectors that were not in them.
"""

import json
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).resolve().parent.parent / "test/clustering/projection/whiten.golden.json"


def sample(rng, count, dimensions, decay, offset):
    """Correlated values whose directions have very different spread, away from the origin."""
    mixing = rng.normal(size=(dimensions, dimensions)) * decay ** np.arange(dimensions)[:, None]
    return (rng.normal(size=(count, dimensions)) @ mixing + offset * rng.normal(size=dimensions)).astype(np.float32)


def whitened(fitted, others, kept):
    values = fitted.astype(np.float64)
    mean = values.mean(axis=0)
    centred = values - mean
    variances, vectors = np.linalg.eigh(centred.T @ centred / (len(values) - 1))
    variances, vectors = variances[::-1][:kept], vectors[:, ::-1][:, :kept].T
    signs = np.sign(vectors[np.arange(kept), np.abs(vectors).argmax(axis=1)])
    transform = vectors * signs[:, None] / np.sqrt(variances)[:, None]
    images = (others.astype(np.float64) - mean) @ transform.T
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    return {"mean": mean.tolist(), "variances": variances.tolist(), "transform": transform.tolist(), "images": images.tolist()}


def main():
    rng = np.random.default_rng(20260101)
    cases = []
    for name, count, dimensions, kept, decay, offset in [
        ("few dimensions", 40, 3, 2, 0.5, 1.0),
        ("a steep spectrum away from the origin", 60, 12, 8, 0.6, 5.0),
        ("barely enough vectors", 9, 16, 8, 0.8, 0.0),
        ("all dimensions kept", 100, 6, 6, 0.9, 0.1),
    ]:
        fitted = sample(rng, count, dimensions, decay, offset)
        others = sample(rng, 5, dimensions, decay, offset)
        cases.append({"name": name, "sample": fitted.tolist(), "vectors": others.tolist(), **whitened(fitted, others, kept)})
    GOLDEN.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
