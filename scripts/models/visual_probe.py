"""How well a representation of images tells classes apart, given few labels or none."""

import numpy as np
from PIL import Image
from sklearn.cluster import DBSCAN
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score

LABELS_PER_CLASS = 5
DRAWS = 5
# The best of these is taken for each representation on the very images that are clustered: kind to all alike.
EPS = np.round(np.arange(0.02, 0.81, 0.02), 2)
MIN_POINTS = 3


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def colour_histogram(images: np.ndarray) -> np.ndarray:
    """8 x 8 x 8 colours, square roots of shares."""
    cells = images.astype(np.int64) // 32 @ np.array([64, 8, 1])
    counts = np.stack([np.bincount(image.ravel(), minlength=512) for image in cells])
    return np.sqrt(counts / cells[0].size)


def small_pixels(images: np.ndarray) -> np.ndarray:
    """16 x 16 pixels in colour, less their mean."""
    small = np.stack(
        [np.asarray(Image.fromarray(image).resize((16, 16), Image.Resampling.BOX), np.float64) for image in images]
    )
    rows = (small - small.mean(axis=(1, 2), keepdims=True)).reshape(len(images), -1)
    return unit(rows)


def draws(classes: np.ndarray):
    """Masks of the labelled images: LABELS_PER_CLASS of each class, DRAWS times."""
    for seed in range(DRAWS):
        random = np.random.default_rng(seed)
        labelled = np.zeros(len(classes), bool)
        for number in range(classes.max() + 1):
            labelled[random.choice(np.flatnonzero(classes == number), LABELS_PER_CLASS, replace=False)] = True
        yield labelled


def nearest_accuracy(rows: np.ndarray, classes: np.ndarray) -> float:
    rows = unit(rows)
    outcomes = []
    for labelled in draws(classes):
        nearest = (rows[~labelled] @ rows[labelled].T).argmax(axis=1)
        outcomes.append((classes[labelled][nearest] == classes[~labelled]).mean())
    return round(float(np.mean(outcomes)), 4)


def linear_accuracy(rows: np.ndarray, classes: np.ndarray) -> float:
    outcomes = []
    for labelled in draws(classes):
        centred = rows - rows[labelled].mean(axis=0)
        centred = centred / centred[labelled].std()
        probe = LogisticRegression(C=0.1, max_iter=300).fit(centred[labelled], classes[labelled])
        outcomes.append(probe.score(centred[~labelled], classes[~labelled]))
    return round(float(np.mean(outcomes)), 4)


def clustering(rows: np.ndarray, classes: np.ndarray) -> dict:
    """Cosine DBSCAN at the best eps: adjusted Rand index with every noise item as a cluster of its own."""
    distances = np.clip(1 - unit(rows) @ unit(rows).T, 0, 2)
    best = {"adjustedRandIndex": -1.0}
    for eps in EPS:
        clusters = DBSCAN(eps=float(eps), min_samples=MIN_POINTS, metric="precomputed").fit_predict(distances)
        noise = clusters < 0
        alone = np.where(noise, clusters.max() + 1 + np.arange(len(clusters)), clusters)
        index = adjusted_rand_score(classes, alone)
        if index > best["adjustedRandIndex"]:
            pure = sum(np.bincount(classes[clusters == number]).max() for number in range(clusters.max() + 1))
            best = {
                "eps": float(eps),
                "adjustedRandIndex": round(float(index), 4),
                "clusters": int(clusters.max() + 1),
                "purity": round(float(pure / max(1, (~noise).sum())), 4),
                "noiseShare": round(float(noise.mean()), 4),
            }
    return best


def probe(rows: np.ndarray, classes: np.ndarray) -> dict:
    return {"nearestNeighbour": nearest_accuracy(rows, classes), "linear": linear_accuracy(rows, classes)}
