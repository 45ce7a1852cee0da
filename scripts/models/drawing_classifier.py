"""Makes models/drawing-classifier: which of sixteen things a drawn image shows.

The layers are those of models/visual-encoder, read from its file; a logistic regression on what they see is
fitted to images that are rendered anew, and takes the place of the projection."""

import bundle
import numpy as np
import onnx
import visual_encoder
import visual_network
from image_renderer import render_many
from known_images import write_known_images
from onnx import helper, numpy_helper
from sklearn.linear_model import LogisticRegression
from visual_network import SIZE

FOLDER = bundle.MODELS / "drawing-classifier"
LABELS = [
    "aeroplane",
    "apple",
    "butterfly",
    "car",
    "cat",
    "clock",
    "cup",
    "fish",
    "flower",
    "house",
    "key",
    "mushroom",
    "rabbit",
    "sailboat",
    "tree",
    "umbrella",
]
BATCH_SIZES = [1, 8]
# Seeds of their own, see visual_encoder.py: neither the layers nor the head have seen what judges them.
FITTING, TEST, KNOWN = 11, 12, 13
FITTED_PER_LABEL, TESTED_PER_LABEL = 120, 60
KNOWN_ANSWERS = ["cat", "umbrella", "key"]


def read_layers():
    """What visual_network.train returned, less the projection."""
    graph = onnx.load(visual_encoder.FOLDER / "model.onnx").graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    layers = [
        (arrays[f"kernel_{number}"], arrays[f"bias_{number}"], stride)
        for number, (_, _, stride) in enumerate(visual_network.CONVOLUTIONS, 1)
    ]
    return arrays["edge_kernels"], layers


def write_model(edges, layers, head) -> None:
    """`head` is a kernel [labels, width, 1, 1] and a bias."""
    nodes, initializers = visual_network.feature_nodes(edges, [*layers, (*head, 1)])
    nodes += [
        helper.make_node("Reshape", ["projection", "row_shape"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    initializers.append(bundle.constant("row_shape", np.array([0, -1], np.int64)))
    inputs = [("pixels", "float32", ["batch", 3, SIZE, SIZE])]
    bundle.save_model(
        FOLDER / "model.onnx",
        "drawing-classifier",
        nodes,
        inputs,
        [("probabilities", "float32", ["batch", len(head[1])])],
        initializers,
    )


def pooled_features(edges, layers, images) -> np.ndarray:
    """What the head gets, by the model with its output cut off there."""
    width = layers[-1][0].shape[0]
    write_model(edges, layers, (np.eye(width, dtype=np.float32)[:, :, None, None], np.zeros(width, np.float32)))
    model = onnx.load(FOLDER / "model.onnx")
    model.graph.output[0].name = "logits"
    onnx.save(model, FOLDER / "model.onnx")
    return visual_network.run_all(bundle.open_session(FOLDER / "model.onnx"), images)


def fit_head(rows: np.ndarray, classes: np.ndarray):
    mean, deviation = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64) + 1e-6
    regression = LogisticRegression(C=0.02, max_iter=500).fit((rows - mean) / deviation, classes)
    kernel = regression.coef_ / deviation
    bias = regression.intercept_ - kernel @ mean
    return kernel.astype(np.float32)[:, :, None, None], bias.astype(np.float32)


def measure(session) -> dict:
    images, classes = render_many(LABELS, TESTED_PER_LABEL, SIZE, TEST)
    scores = visual_network.run_all(session, images)
    right = scores.argmax(axis=1) == classes
    recall = {label: round(float(right[classes == number].mean()), 4) for number, label in enumerate(LABELS)}
    loss = -np.log(scores[np.arange(len(classes)), classes] + 1e-9).mean()
    return {
        "images": len(images),
        "accuracy": round(float(right.mean()), 4),
        "logLoss": round(float(loss), 4),
        "recall": recall,
    }


def main() -> None:
    edges, layers = read_layers()
    images, classes = render_many(LABELS, FITTED_PER_LABEL, SIZE, FITTING)
    FOLDER.mkdir(exist_ok=True)
    write_model(edges, layers, fit_head(pooled_features(edges, layers, images), classes))
    session = bundle.open_session(FOLDER / "model.onnx")
    pixels = visual_network.normalise(images[:: len(images) // 64])
    run = lambda items: session.run(None, {"pixels": pixels[items]})[0]  # noqa: E731
    bundle.prove_batch_invariance(run, len(pixels), sorted({1, 4, 16, *BATCH_SIZES}), seed=2)
    quality = measure(session)
    print(bundle.json.dumps(quality, indent=2))
    files = write_known_images(FOLDER, KNOWN_ANSWERS, KNOWN)
    bundle.write_manifest(
        FOLDER,
        {
            "name": "drawing-classifier",
            "version": "1.0.0",
            "task": "image-classification",
            "licence": "MIT",
            "source": "scripts/models/drawing_classifier.py, on layers of visual-encoder and images drawn by image_renderer.py",
            "preprocessing": visual_encoder.image_preprocessing(),
            "postprocessing": {"kind": "scores", "output": "probabilities"},
            "labels": LABELS,
            "executedShapes": {"batchSizes": BATCH_SIZES},
            "reproducible": True,
            "knownAnswers": visual_encoder.known_answers(session, FOLDER, files),
            "quality": quality,
        },
        files,
    )


if __name__ == "__main__":
    main()
