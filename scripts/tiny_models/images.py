"""How a model's own processor sees the images of the inputs."""

import numpy as np
from PIL import Image

import inputs
from common import rounded


def pixel_values(processor, names):
    """Rows of images of one size, as the model takes them."""
    return processor([inputs.image(name) for name in names], return_tensors="pt")["pixel_values"]


def described(processor, path):
    """What preprocessing has to come to, and the wide image as Python resizes it (losslessly saved).

    `resized` fed to the same processor is not resized any more, so it takes the difference between resamplers out of a comparison.
    """
    mean, deviation = np.array(processor.image_mean), np.array(processor.image_std)
    wide = pixel_values(processor, [inputs.WIDE])[0].numpy().transpose(1, 2, 0)
    levels = ((wide * deviation + mean) / processor.rescale_factor).round().clip(0, 255).astype(np.uint8)
    Image.fromarray(levels).save(path / "wide.resized.png", optimize=True)
    rows = []
    for name in [*inputs.SQUARE, inputs.WIDE]:
        values = pixel_values(processor, [name])[0].numpy()
        middle = values[:, values.shape[1] // 2, ::16]
        rows.append({"image": name, "shape": list(values.shape), "mean": rounded(float(values.astype(np.float64).mean())), "middleRowEvery16th": rounded(middle)})
    return {"ofImages": rows, "resized": {"of": inputs.WIDE, "file": "wide.resized.png"}}
