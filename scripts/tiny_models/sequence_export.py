"""Encoder and decoder of a generating model, as the files that optimum names: both ways of decoding merged into one graph."""

import shutil
import tempfile
from pathlib import Path

from optimum.exporters.onnx import onnx_export_from_model

from common import OPSET
from export import save_configuration, strip


def export_sequence_model(model, path, task):
    """Writes config.json, generation_config.json, onnx/encoder_model.onnx and onnx/decoder_model_merged.onnx."""
    save_configuration(model, path)
    model.generation_config.save_pretrained(path)
    with tempfile.TemporaryDirectory() as scratch:
        onnx_export_from_model(model, output=Path(scratch), task=task, opset=OPSET, do_validation=False)
        for name in ["encoder_model.onnx", "decoder_model_merged.onnx"]:
            shutil.copy(Path(scratch) / name, path / "onnx" / name)
            strip(path / "onnx" / name)
