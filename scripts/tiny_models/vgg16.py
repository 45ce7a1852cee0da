"""vgg16: the 13 convolutions of VGG16 without its top, as Keras serves it (NHWC in, NHWC out), all but the last of them narrow."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import inputs
from common import OPSET, folder, rounded, write_json

NAME = "vgg16"
SIZE = 240
# Convolutions of each block; after every block the sides are halved, the odd last row and column dropped.
BLOCKS = [[4, 4], [6, 6], [8, 8, 8], [8, 8, 8], [8, 8, 512]]
# Keras' "caffe" preprocessing: BGR, these means taken off, no scaling.
MEANS = [103.939, 116.779, 123.68]


def weights(seed):
    chance = np.random.default_rng(seed)
    channels, found = 3, []
    for number, block in enumerate(BLOCKS):
        for layer, width in enumerate(block):
            # The first layer brings pixels of -124..151 down to the size of 1.
            deviation = np.sqrt(2 / (9 * channels)) * (0.02 if number == layer == 0 else 1.1)
            kernel = chance.normal(scale=deviation, size=(width, channels, 3, 3)).astype(np.float32)
            bias = chance.normal(scale=0.1, size=width).astype(np.float32)
            found.append((f"block{number + 1}_conv{layer + 1}", kernel, bias))
            channels = width
    return found


def graph(layers):
    nodes = [helper.make_node("Transpose", ["input_1"], ["channels_first"], perm=[0, 3, 1, 2])]
    constants, value, layer = [], "channels_first", iter(layers)
    for number, block in enumerate(BLOCKS):
        for _ in block:
            name, kernel, bias = next(layer)
            constants += [numpy_helper.from_array(kernel, f"{name}/kernel"), numpy_helper.from_array(bias, f"{name}/bias")]
            nodes.append(helper.make_node("Conv", [value, f"{name}/kernel", f"{name}/bias"], [f"{name}/sum"], pads=[1, 1, 1, 1]))
            nodes.append(helper.make_node("Relu", [f"{name}/sum"], [name]))
            value = name
        pooled = f"block{number + 1}_pooled"
        nodes.append(helper.make_node("MaxPool", [value], [pooled], kernel_shape=[2, 2], strides=[2, 2]))
        value = pooled
    nodes.append(helper.make_node("Transpose", [value], ["block5_pool"], perm=[0, 2, 3, 1]))
    given = helper.make_tensor_value_info("input_1", TensorProto.FLOAT, ["batch_size", SIZE, SIZE, 3])
    features = helper.make_tensor_value_info("block5_pool", TensorProto.FLOAT, ["batch_size", 7, 7, BLOCKS[-1][-1]])
    return helper.make_graph(nodes, "vgg16", [given], [features], constants)


def preprocessed(name):
    rgb = np.asarray(inputs.image(name), dtype=np.float32)
    return rgb[..., ::-1] - np.array(MEANS, dtype=np.float32)


def convolved(value, kernel, bias):
    """A convolution of [height, width, channels] in float64, written out."""
    height, width, _ = value.shape
    padded = np.pad(value, [(1, 1), (1, 1), (0, 0)])
    total = np.zeros((height, width, kernel.shape[0])) + bias
    for row in range(3):
        for column in range(3):
            total += padded[row : row + height, column : column + width] @ kernel[:, :, row, column].T.astype(np.float64)
    return np.maximum(total, 0)


def reference(value, layers):
    """The features by numpy alone, which shares no code with ONNX Runtime."""
    layer = iter(layers)
    value = value.astype(np.float64)
    for block in BLOCKS:
        for _ in block:
            _, kernel, bias = next(layer)
            value = convolved(value, kernel, bias)
        height, width, channels = value.shape
        value = value[: height // 2 * 2, : width // 2 * 2].reshape(height // 2, 2, width // 2, 2, channels).max(axis=(1, 3))
    return value.reshape(-1)


def make():
    path = folder(NAME)
    seed = 3
    layers = weights(seed)
    model = helper.make_model(graph(layers), opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8, producer_name="tiny_models")
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path / "onnx/model.onnx")
    golden = {"model": NAME, "seed": seed, "order": "height, width, channel", "length": 25088}
    golden["preprocessing"] = {"width": SIZE, "height": SIZE, "colourOrder": "BGR", "mean": MEANS, "scale": 1, "layout": "NHWC"}
    golden["features"] = []
    upside_down = lambda value: value[::-1]
    for name, change in [("as it is", lambda value: value), ("upside down", upside_down)]:
        features = reference(change(preprocessed(inputs.SCENE)), layers)
        assert features.shape == (25088,) and (features > 0).mean() > 0.2
        picked = [*range(0, 25088, 1000), *range(512, 520)]
        norm = float(np.linalg.norm(features))
        golden["features"].append({"image": inputs.SCENE, "change": name, "norm": rounded(norm), "positive": int((features > 0).sum()), "numbers": {str(each): rounded(float(features[each])) for each in picked}})
    write_json(path / "goldens.json", golden)
