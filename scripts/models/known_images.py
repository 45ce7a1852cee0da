"""The images whose answers a manifest holds: what `models verify` gives to a model that takes drawings."""

from pathlib import Path

from image_renderer import CLASSES, render
from PIL import Image
from visual_network import SIZE


def write_known_images(folder: Path, names: list[str], seed: int) -> list[str]:
    """PNG files of just the model's size, so that no resize touches them. Returns what they are called.

    `seed` is the first number of each image's seed."""
    files = []
    for number, name in enumerate(names, 1):
        files.append(f"known-{number}.png")
        image = Image.fromarray(render(name, [seed, CLASSES.index(name)], SIZE, noise=False))
        image.save(folder / files[-1], optimize=True)
    return files
