"""Exports a decoder twice, without and with earlier keys and values, and merges both into one graph that `use_cache_branch` chooses in.

The names are those of optimum, so one piece of code can drive these decoders and its own.
"""

import tempfile
from pathlib import Path

from optimum.onnx import merge_decoders

from export import export, strip


def cache_names(layers, parts):
    return [f"{layer}.{part}" for layer in range(layers) for part in parts]


def export_merged(path, model, first, later):
    """`first` and `later` are (run, inputs, outputs) as `export` takes them."""
    with tempfile.TemporaryDirectory() as scratch:
        files = [Path(scratch) / "first.onnx", Path(scratch) / "later.onnx"]
        for file, (run, inputs, outputs) in zip(files, [first, later]):
            export(file, model, run, inputs, outputs)
        merge_decoders(files[0], files[1], save_path=path, strict=False)
    strip(path)
