"""Writes examples/images: what the demo publishes. Drawings of a few things, JPEG and PNG, of several sizes, and some
that are like nothing else there. Prints how cosine DBSCAN groups them by models/visual-encoder, eps by eps."""

import bundle
import numpy as np
import visual_encoder
import visual_network
from image_renderer import CLASSES, render
from PIL import Image
from sklearn.cluster import DBSCAN

FOLDER = bundle.REPOSITORY / "examples" / "images"
SUBJECTS = ["cat", "sailboat", "umbrella", "key", "butterfly"]
PER_SUBJECT = 10
ODD = ["robot", "spiral", "zigzag", "ladder", "snowflake"]
SAMPLES = 21
SIZES = [80, 96, 112, 128]
MIN_POINTS = 3


def write_sample(name: str, number: int, path_stem: str) -> str:
    """Every third one is a PNG, without grain, which PNG would store bit by bit."""
    png = number % 3 == 2
    image = Image.fromarray(
        render(name, [SAMPLES, CLASSES.index(name), number], SIZES[number % len(SIZES)], noise=not png)
    )
    file = f"{path_stem}.png" if png else f"{path_stem}.jpg"
    if png:
        image.save(FOLDER / file, optimize=True)
    else:
        image.save(FOLDER / file, quality=82, optimize=True)
    return file


def read_sample(file: str) -> np.ndarray:
    return np.asarray(
        Image.open(FOLDER / file).convert("RGB").resize((visual_network.SIZE,) * 2, Image.Resampling.BILINEAR)
    )


def report(files: list[str], subjects: np.ndarray) -> None:
    session = bundle.open_session(visual_encoder.FOLDER / "model.onnx")
    rows = visual_network.run_all(session, np.stack([read_sample(file) for file in files]))
    distances = np.clip(1 - rows @ rows.T, 0, 2)
    for eps in np.round(np.arange(0.1, 0.71, 0.05), 2):
        clusters = DBSCAN(eps=eps, min_samples=MIN_POINTS, metric="precomputed").fit_predict(distances)
        groups = [
            np.bincount(subjects[clusters == number], minlength=len(SUBJECTS) + 1).tolist()
            for number in range(clusters.max() + 1)
        ]
        odd_noise = int((clusters[subjects == len(SUBJECTS)] < 0).sum())
        print(
            f"eps {eps:.2f}: {len(groups)} clusters {groups}, noise {int((clusters < 0).sum())}, of it odd {odd_noise}"
        )


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in sorted(FOLDER.glob("*.jpg")) + sorted(FOLDER.glob("*.png")):
        old.unlink()
    files, subjects = [], []
    for subject, name in enumerate(SUBJECTS):
        for number in range(PER_SUBJECT):
            files.append(write_sample(name, number, f"{name}-{number + 1:02d}"))
            subjects.append(subject)
    for number, name in enumerate(ODD):
        files.append(write_sample(name, number, f"odd-{number + 1:02d}-{name}"))
        subjects.append(len(SUBJECTS))
    sizes = [(FOLDER / file).stat().st_size for file in files]
    print(f"{len(files)} images, {sum(sizes)} bytes")
    report(files, np.array(subjects))


if __name__ == "__main__":
    main()
