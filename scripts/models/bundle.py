"""What every bundled model's script shares: where things are, how an ONNX file is put together and
checked, and how a manifest is written. A bundle is a folder of models/ with a manifest, its model
file and a card."""

import hashlib
import json
import os
from pathlib import Path

# One thread, set before numpy is loaded: sums then have one order, and a second run gives the same bytes.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]
MODELS = REPOSITORY / "models"
OPSET = 17
IR_VERSION = 8
ELEMENT_TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}


def shared_directory() -> Path:
    """The folder with the teacher and the data sets; it is beside the repository unless told otherwise."""
    return Path(os.environ.get("LABELSTREAM_SHARED_DIR", REPOSITORY.parent / "shared"))


def constant(name: str, array: np.ndarray):
    return numpy_helper.from_array(np.ascontiguousarray(array), name)


def save_model(path: Path, graph_name: str, nodes, inputs, outputs, initializers) -> bytes:
    """`inputs` and `outputs` are (name, element type, shape) with names for the axes left open."""
    value_infos = [
        [helper.make_tensor_value_info(name, ELEMENT_TYPES[kind], shape) for name, kind, shape in side]
        for side in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, graph_name, value_infos[0], value_infos[1], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    model.producer_name = "labelstream"
    model.producer_version = ""
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString(deterministic=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return data


def open_session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def decimals(vector: np.ndarray) -> list[float]:
    """Shortest decimals that read back as the same float32 values."""
    return [float(str(np.float32(value))) for value in vector]


def write_json(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def describe_file(folder: Path, name: str) -> dict:
    data = (folder / name).read_bytes()
    return {"path": name, "sha256": hashlib.sha256(data).hexdigest(), "sizeBytes": len(data)}


def write_manifest(folder: Path, manifest: dict, more_files: list[str] | None = None) -> None:
    """Adds the hashes and sizes of model.onnx, which is every bundle's model, and of what else belongs to it."""
    files = [describe_file(folder, name) for name in ("model.onnx", *(more_files or []))]
    head = {key: manifest[key] for key in ("name", "version", "task", "licence", "source")}
    rest = {key: value for key, value in manifest.items() if key not in head}
    write_json(
        folder / "manifest.json",
        {**head, "files": files, "model": "model.onnx", "opset": OPSET, **rest, "card": "README.md"},
    )


def prove_batch_invariance(run, count: int, batch_sizes: list[int], seed: int) -> None:
    """Fails unless every item's row has the same bytes alone, and in shuffled batches of each size.

    `run` maps an array of item numbers to an array [items, width]."""
    alone = np.stack([run(np.array([item]))[0] for item in range(count)])
    random = np.random.default_rng(seed)
    for size in batch_sizes:
        order = random.permutation(count)
        for start in range(0, count - size + 1, size):
            batch = order[start : start + size]
            if run(batch).tobytes() != alone[batch].tobytes():
                raise SystemExit(f"rows depend on their batch of {size}: {batch.tolist()}")
