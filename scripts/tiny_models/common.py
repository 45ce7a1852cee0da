"""What every maker shares: where files go, JSON, and arrays of numbers in it."""

import base64
import hashlib
import json
from pathlib import Path

import numpy as np

TINY = Path(__file__).resolve().parents[2] / "test/models/tiny"
INPUTS = TINY / "inputs"
OPSET = 17


def folder(name):
    """The model's directory, with its `onnx` inside, emptied of what an earlier run left."""
    path = TINY / name
    (path / "onnx").mkdir(parents=True, exist_ok=True)
    for file in path.rglob("*"):
        if file.is_file():
            file.unlink()
    return path


def write_json(path, value):
    """Indented down to the lists of plain values, which stay on one line."""
    path.write_text(rendered(value, "") + "\n")


def rendered(value, indent):
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or not value or (len(flat) <= 140 and len(indent) > 0):
        return flat
    if isinstance(value, list) and not any(isinstance(each, (dict, list)) for each in value):
        return flat
    inner = indent + "  "
    if isinstance(value, dict):
        rows = [f"{inner}{json.dumps(key, ensure_ascii=False)}: {rendered(each, inner)}" for key, each in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    return "[\n" + ",\n".join(inner + rendered(each, inner) for each in value) + f"\n{indent}]"


def packed(values):
    """An array as its shape and the base64 of its little-endian float32."""
    array = np.ascontiguousarray(np.asarray(values), dtype="<f4")
    return {"shape": list(array.shape), "float32": base64.b64encode(array.tobytes()).decode()}


def rounded(values, digits=7):
    """Numbers for reading, as short as float32 needs them."""
    if isinstance(values, (list, tuple)):
        return [rounded(each, digits) for each in values]
    if isinstance(values, np.ndarray) or hasattr(values, "tolist"):
        return rounded(values.tolist(), digits)
    return float(f"{values:.{digits}g}") if isinstance(values, float) else values


def write_hashes():
    """The sha256 and the size in bytes of every file below, but this list itself and the tests."""
    listed = {}
    for file in sorted(TINY.rglob("*")):
        name = file.relative_to(TINY).as_posix()
        if file.is_file() and file.suffix != ".ts" and name != "files.json":
            data = file.read_bytes()
            listed[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (TINY / "files.json").write_text(json.dumps(listed, indent=1) + "\n")
