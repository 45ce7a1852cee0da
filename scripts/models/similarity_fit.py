"""Fits the rows of a bucket table and an offset by gradient descent, so that the normalised sum of a text's rows and the
offset is near the teacher's vector of the text, and the cosines of the texts of a batch are near the teacher's.

Plain numpy and one thread: every sum has one order, so a second run gives the same bytes. Only the rows that a batch
uses take a step, with Adam's means of their own: a rare word's row is not worn away between its texts."""

import time

import numpy as np
import scipy.sparse as sparse

BATCH = 2048
EPOCHS = 5
LEARNING_RATE = 0.01
WARM_UP_STEPS = 30
MEAN_DECAY, SQUARE_DECAY = 0.9, 0.99
# Weight of the cosines' part of the loss beside the vectors' part.
COSINES = 1.0
START_DEVIATION = 0.02


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def fit_projection(vectors: np.ndarray, dimensions: int) -> np.ndarray:
    """[384, dimensions]: the axes that keep most of the vectors' products; not centred, so that cosines stay."""
    values, axes = np.linalg.eigh((vectors.T @ vectors).astype(np.float64))
    chosen = axes[:, np.argsort(-values)[:dimensions]]
    # An eigenvector's sign is arbitrary: fix it, or another build of LAPACK mirrors the space.
    return (chosen * np.sign(chosen[np.abs(chosen).argmax(axis=0), np.arange(dimensions)])).astype(np.float32)


def only_used(features: sparse.csr_matrix) -> tuple[sparse.csr_matrix, np.ndarray]:
    """The columns that are not empty, and their numbers."""
    used = np.zeros(features.shape[1], bool)
    used[features.indices] = True
    columns = np.flatnonzero(used)
    places = np.zeros(features.shape[1], np.int32)
    places[columns] = np.arange(len(columns))
    shape = (features.shape[0], len(columns))
    return sparse.csr_matrix((features.data, places[features.indices], features.indptr), shape), columns


def gradient(sums: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Of the loss by the sums: the vectors' part is 1 - cosine to the target, the cosines' part their squared error about its mean."""
    lengths = np.linalg.norm(sums, axis=1, keepdims=True) + 1e-9
    vectors, count = sums / lengths, len(sums)
    errors = vectors @ vectors.T - targets @ targets.T
    np.fill_diagonal(errors, 0)
    errors -= errors.sum() / (count * (count - 1))
    np.fill_diagonal(errors, 0)
    by_vectors = 4 * COSINES / count**2 * (errors @ vectors) - unit(targets) / count
    return (by_vectors - (by_vectors * vectors).sum(axis=1, keepdims=True) * vectors) / lengths


class Adam:
    def __init__(self, values: np.ndarray):
        self.values, self.means, self.squares = values, np.zeros_like(values), np.zeros_like(values)

    def step(self, rows, gradients: np.ndarray, number: int, rate: float) -> None:
        means = MEAN_DECAY * self.means[rows] + (1 - MEAN_DECAY) * gradients
        squares = SQUARE_DECAY * self.squares[rows] + (1 - SQUARE_DECAY) * gradients * gradients
        self.means[rows], self.squares[rows] = means, squares
        squares = np.sqrt(squares / np.float32(1 - SQUARE_DECAY**number)) + np.float32(1e-9)
        self.values[rows] -= np.float32(rate / (1 - MEAN_DECAY**number)) * means / squares


def plan_epoch(sizes: dict, passes: dict, random) -> list:
    """(source, rows) of each batch, shuffled; a batch is of one source."""
    batches = []
    for source, size in sizes.items():
        for _ in range(passes[source]):
            parts = np.array_split(random.permutation(size), max(1, round(size / BATCH)))
            batches += [(source, part) for part in parts]
    return [batches[index] for index in random.permutation(len(batches))]


def fit(features: dict, targets: dict, passes: dict, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`features` [texts, buckets] and `targets` [texts, dimensions] by source; `passes` over each source in an epoch.
    Returns the table [buckets, dimensions] and the offset [dimensions]."""
    random = np.random.default_rng(seed)
    any_targets = next(iter(targets.values()))
    buckets = next(iter(features.values())).shape[1]
    table = Adam(random.normal(0, START_DEVIATION, (buckets, any_targets.shape[1])).astype(np.float32))
    offset = Adam(np.mean([unit(vectors).mean(axis=0) for vectors in targets.values()], axis=0))
    epochs = [plan_epoch({source: len(vectors) for source, vectors in targets.items()}, passes, random) for _ in range(EPOCHS)]
    total, number, began = sum(map(len, epochs)), 0, time.monotonic()
    for epoch in epochs:
        for source, rows in epoch:
            number += 1
            batch, columns = only_used(features[source][rows])
            by_sums = gradient(batch @ table.values[columns] + offset.values, targets[source][rows])
            rate = LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * number / total)) * min(1, number / WARM_UP_STEPS)
            table.step(columns, batch.T.tocsr() @ by_sums, number, rate)
            offset.step(slice(None), by_sums.sum(axis=0), number, rate)
        print(f"fit: {number} of {total} steps in {time.monotonic() - began:.0f} s", flush=True)
    return table.values, offset.values
