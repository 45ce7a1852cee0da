"""Golden boxes of published detectors, computed with numpy, Pillow and onnxruntime for Python, which share no code with the program but onnxruntime and libjpeg.

    python scripts/golden_detections.py MODELS PHOTOGRAPHS test/models/tiny/inputs > test/integration/detections.golden.json

MODELS holds yolox_nano.onnx and ultraface_RFB-320.onnx; PHOTOGRAPHS is a folder with images at any depth. The third folder has drawings, on which much less is found, so that
less counts. Sizes and the resizing are those of Pillow.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

SUFFIXES = {".jpg", ".jpeg", ".png"}


def opened(path):
    return ImageOps.exif_transpose(Image.open(path)).convert("RGB")


def intersection_over_union(box, others):
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.prod(np.clip(sides, 0, None), axis=1)
    area = lambda boxes: np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1)
    return shared / (area(box) + area(others) - shared)


def kept(boxes, scores, classes, overlap_max):
    """Non-maximum suppression class by class, by throwing out what the surest one covers until nothing is left."""
    found = []
    for label in np.unique(classes):
        left = np.flatnonzero(classes == label)
        left = left[np.argsort(-scores[left], kind="stable")]
        while left.size > 0:
            found.append(left[0])
            left = left[1:][intersection_over_union(boxes[left[0]], boxes[left[1:]]) <= overlap_max]
    return sorted(found, key=lambda place: -scores[place])


def told(boxes, scores, classes, size, score_min, overlap_max):
    sure = scores > score_min
    boxes, scores, classes = boxes[sure], scores[sure], classes[sure]
    limits = np.array([*size, *size])
    return [
        {"label": int(classes[place]), "score": round(float(scores[place]), 5), "box": [round(float(corner), 2) for corner in np.clip(boxes[place], 0, limits)]}
        for place in kept(boxes, scores, classes, overlap_max)
    ]


class YoloX:
    file, score_min, score_min_drawn, overlap_max, side = "yolox_nano.onnx", 0.25, 0.03, 0.45, 416

    def __init__(self, folder):
        self.session = onnxruntime.InferenceSession(folder / self.file, providers=["CPUExecutionProvider"])
        rows, columns, strides = [], [], []
        for stride in (8, 16, 32):
            count = self.side // stride
            row, column = np.mgrid[0:count, 0:count]
            rows, columns, strides = [*rows, row.ravel()], [*columns, column.ravel()], [*strides, np.full(count * count, stride)]
        self.cells = np.stack([np.concatenate(columns), np.concatenate(rows)], axis=1)
        self.strides = np.concatenate(strides)[:, None]

    def found(self, image, score_min):
        shown = ImageOps.pad(image, (self.side, self.side), method=Image.BILINEAR, color=(114, 114, 114), centering=(0, 0))
        tensor = np.asarray(shown, dtype=np.float32)[:, :, ::-1].transpose(2, 0, 1)[None]
        output = self.session.run(None, {self.session.get_inputs()[0].name: np.ascontiguousarray(tensor)})[0][0].astype(np.float64)
        middles, sizes = (output[:, :2] + self.cells) * self.strides, np.exp(output[:, 2:4]) * self.strides
        inner = ImageOps.contain(image, (self.side, self.side)).size
        scale = np.array([image.width / inner[0], image.height / inner[1]])
        boxes = np.concatenate([(middles - sizes / 2) * scale, (middles + sizes / 2) * scale], axis=1)
        classes = output[:, 5:].argmax(axis=1)
        scores = output[:, 4] * output[np.arange(len(output)), 5 + classes]
        return told(boxes, scores, classes, image.size, score_min, self.overlap_max)


class UltraFace:
    file, score_min, score_min_drawn, overlap_max, size = "ultraface_RFB-320.onnx", 0.5, 0.08, 0.3, (320, 240)

    def __init__(self, folder):
        self.session = onnxruntime.InferenceSession(folder / self.file, providers=["CPUExecutionProvider"])

    def found(self, image, score_min):
        tensor = (np.asarray(image.resize(self.size, Image.BILINEAR), dtype=np.float32) - 127) / 128
        names = {self.session.get_inputs()[0].name: np.ascontiguousarray(tensor.transpose(2, 0, 1)[None])}
        scores, boxes = (output[0].astype(np.float64) for output in self.session.run(["scores", "boxes"], names))
        return told(boxes * np.array([*image.size, *image.size]), scores[:, 1], np.zeros(len(scores), dtype=int), image.size, score_min, self.overlap_max)


def found_in(detector, folder, score_min):
    found = {}
    for path in sorted(each for each in folder.rglob("*") if each.suffix in SUFFIXES):
        image = opened(path)
        found[path.relative_to(folder).as_posix()] = {"size": list(image.size), "boxes": detector.found(image, score_min)}
    return found


def main(models, photographs, drawings):
    groups = []
    for detector in [YoloX(Path(models)), UltraFace(Path(models))]:
        for folder, score_min in [(photographs, detector.score_min), (drawings, detector.score_min_drawn)]:
            about = json.dumps({"model": detector.file, "overlapMax": detector.overlap_max, "scoreMin": score_min})
            images = [json.dumps({"image": path, **found}) for path, found in found_in(detector, Path(folder), score_min).items()]
            groups.append(about[:-1] + ', "images": [\n  ' + ",\n  ".join(images) + "\n]}")
    print("[\n" + ",\n".join(groups) + "\n]")


if __name__ == "__main__":
    main(*sys.argv[1:])
