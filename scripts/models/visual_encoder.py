"""Makes models/visual-encoder: an image to a vector of 96 numbers, such that what looks alike lies close in
cosine distance, whatever its colours, place, size and background.

It learns on images that image_renderer.py draws, and is judged on classes that it never saw."""

import hashlib

import bundle
import numpy as np
import visual_network
import visual_probe
from image_renderer import CLASSES, TEXTURES, render_many
from known_images import write_known_images
from onnx import helper
from PIL import Image
from visual_network import DEVIATION, DIMENSIONS, MEAN, SIZE

FOLDER = bundle.MODELS / "visual-encoder"
BATCH_SIZES = [1, 8]
HELD_OUT_OBJECTS = [
    "pine",
    "bear",
    "tulip",
    "carrot",
    "bus",
    "rocket",
    "teapot",
    "hammer",
    "candle",
    "top-hat",
    "gear",
    "bell",
]
HELD_OUT_TEXTURES = ["waves", "lattice", "crosses", "basket"]
HELD_OUT_GLYPHS = [f"glyph-{number}" for number in range(60, 90)]
HELD_OUT = [*HELD_OUT_OBJECTS, *HELD_OUT_TEXTURES, *HELD_OUT_GLYPHS]
TRAINED = [name for name in CLASSES if name not in HELD_OUT]
# The first number of every image's seed: nothing that judges has been seen in training.
TRAINING, PROBE, KNOWN, PROOF = 1, 2, 3, 4
KNOWN_ANSWERS = ["cat", "sailboat", "teapot", "scales"]


def training_images():
    parts = []
    for number, name in enumerate(TRAINED):
        count = 120 if name.startswith("glyph") else 100 if name in TEXTURES else 200
        images, _ = render_many([name], count, SIZE, TRAINING)
        parts.append((images, np.full(count, number)))
    return np.concatenate([images for images, _ in parts]), np.concatenate([classes for _, classes in parts])


def write_model(edges, weights) -> None:
    nodes, initializers = visual_network.feature_nodes(edges, weights)
    nodes += [
        helper.make_node("Reshape", ["projection", "row_shape"], ["rows"]),
        helper.make_node("Reshape", ["projection", "column_shape"], ["columns"]),
        # The sum of squares as a product per item, not a ReduceSum: see prove_batch_invariance.
        helper.make_node("MatMul", ["rows", "columns"], ["squares"]),
        helper.make_node("Sqrt", ["squares"], ["lengths"]),
        helper.make_node("Max", ["lengths", "smallest"], ["divisors"]),
        helper.make_node("Div", ["rows", "divisors"], ["unit_rows"]),
        helper.make_node("Squeeze", ["unit_rows", "row_axis"], ["embedding"]),
    ]
    initializers += [
        bundle.constant("row_shape", np.array([0, 1, -1], np.int64)),
        bundle.constant("column_shape", np.array([0, -1, 1], np.int64)),
        bundle.constant("smallest", np.array(1e-6, np.float32)),
        bundle.constant("row_axis", np.array([1], np.int64)),
    ]
    inputs = [("pixels", "float32", ["batch", 3, SIZE, SIZE])]
    bundle.save_model(
        FOLDER / "model.onnx",
        "visual-encoder",
        nodes,
        inputs,
        [("embedding", "float32", ["batch", DIMENSIONS])],
        initializers,
    )


def measure(session) -> dict:
    representations = {
        "encoder": lambda images: visual_network.run_all(session, images),
        "colourHistogram": visual_probe.colour_histogram,
        "pixels16x16": visual_probe.small_pixels,
    }
    sets = {
        "heldOutClasses": render_many(HELD_OUT, 30, SIZE, PROBE),
        "heldOutObjectsAndTextures": render_many([*HELD_OUT_OBJECTS, *HELD_OUT_TEXTURES], 40, SIZE, PROBE),
        "trainedObjectsAndTextures": render_many(
            [name for name in TRAINED if not name.startswith("glyph")], 30, SIZE, PROBE
        ),
    }
    quality = {"labelsPerClass": visual_probe.LABELS_PER_CLASS, "draws": visual_probe.DRAWS}
    for name, (images, classes) in sets.items():
        quality[name] = {"classes": int(classes.max()) + 1, "images": len(images)}
        for kind, represent in representations.items():
            rows = represent(images)
            quality[name][kind] = visual_probe.probe(rows, classes)
            if name != "heldOutClasses":
                quality[name][kind]["cosineDbscan"] = visual_probe.clustering(rows, classes)
    return quality


def image_preprocessing() -> dict:
    return {
        "kind": "image",
        "input": "pixels",
        "width": SIZE,
        "height": SIZE,
        "resize": {"rule": "stretch", "kernel": "linear"},
        "colourOrder": "RGB",
        "scale": 1 / 255,
        "mean": [MEAN] * 3,
        "deviation": [DEVIATION] * 3,
        "layout": "NCHW",
    }


def known_answers(session, folder, files: list[str]) -> list[dict]:
    images = np.stack([np.asarray(Image.open(folder / file).convert("RGB")) for file in files])
    answers = visual_network.run_all(session, images, batch=1)
    return [
        {
            "input": {"kind": "image", "file": file, "contentType": "image/png"},
            "output": bundle.decimals(answer),
            "tolerance": 1e-4,
        }
        for file, answer in zip(files, answers)
    ]


def prove(session) -> None:
    images, _ = render_many(CLASSES[:64], 1, SIZE, PROOF)
    pixels = visual_network.normalise(images)
    run = lambda items: session.run(None, {"pixels": pixels[items]})[0]  # noqa: E731
    bundle.prove_batch_invariance(run, len(pixels), sorted({1, 4, 16, *BATCH_SIZES}), seed=1)


def main() -> None:
    images, classes = training_images()
    digest = hashlib.sha256(images.tobytes()).hexdigest()[:16]
    print(f"{len(images)} training images of {len(TRAINED)} classes, SHA-256 {digest}", flush=True)
    write_model(*visual_network.train(images, classes, seed=11))
    session = bundle.open_session(FOLDER / "model.onnx")
    prove(session)
    quality = measure(session)
    print(bundle.json.dumps(quality, indent=2))
    files = write_known_images(FOLDER, KNOWN_ANSWERS, KNOWN)
    bundle.write_manifest(
        FOLDER,
        {
            "name": "visual-encoder",
            "version": "1.0.0",
            "task": "image-features",
            "licence": "MIT",
            "source": "scripts/models/visual_encoder.py, trained on images drawn by scripts/models/image_renderer.py",
            "preprocessing": image_preprocessing(),
            "postprocessing": {"kind": "vector", "output": "embedding", "dimensions": DIMENSIONS},
            "executedShapes": {"batchSizes": BATCH_SIZES},
            "reproducible": True,
            "knownAnswers": known_answers(session, FOLDER, files),
            "quality": quality,
        },
        files,
    )


if __name__ == "__main__":
    main()
