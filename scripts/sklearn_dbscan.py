"""DBSCAN by scikit-learn in float64, for test/clustering/scikit-learn.test.ts. Needs numpy and scikit-learn.

sys.argv[1]: a JSON list of {file, dimensions, metric, eps, minPoints}; the files hold little-endian float32. Prints a JSON list of {labels, cores, margin}:
-1 is noise, cores are places in the file, margin is how near to eps the distance of a pair comes.
"""
import json
import sys

import numpy as np
from sklearn.cluster import DBSCAN
from sklearn.metrics import pairwise_distances


def answer(file, dimensions, metric, eps, minPoints):
    x = np.fromfile(file, "<f4").reshape(-1, dimensions).astype(np.float64)
    distances = pairwise_distances(x, metric=metric)
    apart = distances[np.triu_indices(len(x), 1)]
    model = DBSCAN(eps=eps, min_samples=minPoints, metric=metric, algorithm="brute").fit(x)
    return {"labels": model.labels_.tolist(), "cores": model.core_sample_indices_.tolist(), "margin": float(np.abs(apart - eps).min())}


with open(sys.argv[1], encoding="utf-8") as cases:
    print(json.dumps([answer(**case) for case in json.load(cases)]))
