"""The peers of the clustering bench, asked over stdin, one JSON object a line, answered on stdout.

sys.argv[1]: incdbscan_bench.py, whose points these are and whose settings both peers run with: euclidean on unit vectors, eps' = sqrt(2 eps).
"""
import importlib.util
import json
import sys
import time

import numpy as np
from incdbscan import IncrementalDBSCAN
from sklearn.cluster import DBSCAN

spec = importlib.util.spec_from_file_location("incdbscan_bench", sys.argv[1])
bench = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bench)


def write_points(count, dimensions, data, path):
    bench.points(count, dimensions, data).astype("<f4").tofile(path)
    return {}


def timed(work):
    started, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, {"seconds": time.perf_counter() - started, "cpuSeconds": time.process_time() - cpu}


def write_labels(labels, core, path):
    """int32 a point, -1 for noise; then one byte a point, 1 for a core."""
    cores = np.zeros(len(labels), np.uint8)
    cores[core] = 1
    with open(path, "wb") as file:
        file.write(np.asarray(labels).astype("<i4").tobytes())
        file.write(cores.tobytes())


def sklearn(points, dimensions, eps, min_points, threads, labels):
    x = np.fromfile(points, "<f4").reshape(-1, dimensions)
    model, told = timed(lambda: DBSCAN(eps=float(np.sqrt(2 * eps)), min_samples=min_points, n_jobs=threads).fit(x))
    write_labels(model.labels_, model.core_sample_indices_, labels)
    return told


def incdbscan(points, dimensions, eps, min_points, batch, labels):
    x = np.fromfile(points, "<f4").reshape(-1, dimensions)
    model = IncrementalDBSCAN(eps=float(np.sqrt(2 * eps)), min_pts=min_points, metric="euclidean")

    def insert():
        for begin in range(0, len(x), batch):
            last = time.perf_counter()
            model.insert(x[begin : begin + batch])
        return (time.perf_counter() - last) / len(x[begin:]) * 1e3

    last_ms, told = timed(insert)
    # It tells no cores: its labels are compared on those of the engine.
    write_labels(model.get_cluster_labels(x), [], labels)
    return {**told, "lastMsPerInsert": last_ms}


commands = {"points": write_points, "sklearn": sklearn, "incdbscan": incdbscan}
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps(commands[asked.pop("command")](**asked)), flush=True)
