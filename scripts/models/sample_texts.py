"""AG News, which judges the models and fits no weight (its terms are non-commercial), and banking77 (CC BY 4.0), which
does both, by different rows: both read from LABELSTREAM_SHARED_DIR/data/text and not part of the repository."""

import csv

import bundle
import numpy as np


def read(name: str) -> list[list[str]]:
    path = bundle.shared_directory() / "data" / "text" / name
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def ag_news() -> tuple[list[str], np.ndarray]:
    """Title and description; class 0 world, 1 sports, 2 business, 3 science and technology."""
    rows = read("ag_news_test.csv")
    return [f"{title} {description}" for _, title, description in rows], np.array([int(row[0]) - 1 for row in rows])


def banking77() -> list[tuple[str, str]]:
    """(text, intent)"""
    return [(text, intent) for text, intent in read("banking77_train.csv")[1:]]


def sample(texts: list[str], count: int, seed: int) -> list[str]:
    return [texts[index] for index in np.random.default_rng(seed).permutation(len(texts))[:count]]
