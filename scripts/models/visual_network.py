"""The network of the visual models: how it is trained (torch) and how it is written (ONNX nodes).

It begins with edges: the magnitudes of derivatives in eight directions, relative to their mean over the image, so that
colours, light and contrast hardly reach what follows. Four convolutions, the mean over the places that are left and a
projection come after them. The network learns to tell the training classes apart by the cosine to one direction per
class, with a margin: images of a class then lie close together in cosine distance, also those of classes never seen."""

import bundle
import numpy as np
from onnx import helper

SIZE = 64
DIMENSIONS = 96
MEAN, DEVIATION = 0.5, 0.25
EDGE_DIRECTIONS = 8
# Added to the mean edge, so that an image without any edge is not blown up into noise.
FAINTEST_EDGE = 0.03
# (channels in, channels out, stride) of the 3 x 3 convolutions
CONVOLUTIONS = [(3 * EDGE_DIRECTIONS, 48, 2), (48, 96, 2), (96, 128, 1), (128, 192, 2)]
BATCH = 128
EPOCHS = 4
LEARNING_RATE = 8e-3
SCALE, MARGIN = 15.0, 0.1


def normalise(images: np.ndarray) -> np.ndarray:
    """uint8 [count, height, width, 3] -> float32 [count, 3, height, width]."""
    return np.ascontiguousarray(((images.astype(np.float32) / 255 - MEAN) / DEVIATION).transpose(0, 3, 1, 2))


def edge_kernels() -> np.ndarray:
    """[24, 3, 5, 5]: for each colour the derivatives of a Gaussian in eight directions; where training begins."""
    y, x = np.mgrid[-2:3, -2:3]
    kernels = np.zeros((3 * EDGE_DIRECTIONS, 3, 5, 5), np.float32)
    for channel in range(3 * EDGE_DIRECTIONS):
        angle = np.pi * (channel % EDGE_DIRECTIONS) / EDGE_DIRECTIONS
        derivative = np.exp(-(x * x + y * y) / 2.5) * (x * np.cos(angle) + y * np.sin(angle))
        kernels[channel, channel // EDGE_DIRECTIONS] = 2 * derivative / np.abs(derivative).sum()
    return kernels


def build_network():
    import torch
    from torch import nn

    class Edges(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution = nn.Conv2d(3, 3 * EDGE_DIRECTIONS, 5, 2, bias=False)
            self.convolution.weight.data = torch.from_numpy(edge_kernels())

        def forward(self, pixels):
            magnitudes = self.convolution(pixels).abs()
            return magnitudes / (magnitudes.mean((1, 2, 3), keepdim=True) + FAINTEST_EDGE)

    layers = [Edges()]
    for before, after, stride in CONVOLUTIONS:
        layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    width = CONVOLUTIONS[-1][1]
    layers += [
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(width, DIMENSIONS, 1, bias=False),
        nn.BatchNorm2d(DIMENSIONS, affine=False),
        nn.Flatten(),
    ]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def train(images: np.ndarray, classes: np.ndarray, seed: int):
    """The kernels of the edges, and [(kernel, bias, stride)] of the rest, the projection last.

    The batch normalisation is folded into them."""
    import torch
    from torch import nn

    # One thread and one order of every sum: a second run gives the same bytes.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    network = build_network()
    directions = nn.Parameter(torch.randn(int(classes.max()) + 1, DIMENSIONS))
    steps = EPOCHS * (len(images) // BATCH)
    optimiser = torch.optim.AdamW([*network.parameters(), directions], lr=LEARNING_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.2)
    step, mean_loss, mean_right = 0, 0.0, 0.0
    for _ in range(EPOCHS):
        order = random.permutation(len(images))
        for start in range(0, len(images) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            labels = torch.from_numpy(classes[chosen])
            batch = torch.from_numpy(normalise(vary(images[chosen], random))).contiguous(
                memory_format=torch.channels_last
            )
            cosines = nn.functional.normalize(network(batch)) @ nn.functional.normalize(directions).T
            margin = nn.functional.one_hot(labels, len(directions)) * (MARGIN * min(1.0, 2 * step / steps))
            loss = nn.functional.cross_entropy((cosines - margin) * SCALE, labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            right = (cosines.argmax(dim=1) == labels).float().mean().item()
            step, mean_loss, mean_right = (
                step + 1,
                mean_loss * 0.96 + loss.item() * 0.04,
                mean_right * 0.96 + right * 0.04,
            )
            if step % 50 == 0:
                correction = 1 - 0.96**step
                print(
                    f"step {step} of {steps}: loss {mean_loss / correction:.3f}, right {mean_right / correction:.3f}",
                    flush=True,
                )
    network.eval()
    return network[0].convolution.weight.detach().numpy().copy(), folded(network)


def vary(images: np.ndarray, random) -> np.ndarray:
    """Half of the images mirrored, and the colour channels of the batch in some order."""
    mirrored = random.random((len(images), 1, 1, 1)) < 0.5
    return np.where(mirrored, images[:, :, ::-1], images)[..., random.permutation(3)]


def folded(network) -> list:
    modules = list(network)
    weights = []
    for index, module in enumerate(modules):
        if module.__class__.__name__ != "Conv2d":
            continue
        norm = modules[index + 1]
        factor = 1 / np.sqrt(norm.running_var.double().numpy() + norm.eps)
        shift = np.zeros_like(factor)
        if norm.affine:
            factor, shift = factor * norm.weight.detach().double().numpy(), norm.bias.detach().double().numpy()
        kernel = module.weight.detach().double().numpy() * factor[:, None, None, None]
        bias = shift - norm.running_mean.double().numpy() * factor
        weights.append((kernel.astype(np.float32), bias.astype(np.float32), module.stride[0]))
    return weights


def feature_nodes(edges: np.ndarray, weights: list):
    """Nodes and constants from `pixels` [batch, 3, SIZE, SIZE] to `projection` [batch, DIMENSIONS, 1, 1].

    Every step works on one item at a time: convolutions, and no product with the batch as rows, whose last
    bits would depend on the batch."""
    channels = len(edges)
    nodes = [
        helper.make_node("Conv", ["pixels", "edge_kernels"], ["derivatives"], kernel_shape=[5, 5], strides=[2, 2]),
        helper.make_node("Abs", ["derivatives"], ["magnitudes"]),
        helper.make_node("GlobalAveragePool", ["magnitudes"], ["channel_means"]),
        helper.make_node("Conv", ["channel_means", "mean_kernel", "faintest_edge"], ["mean_edge"], kernel_shape=[1, 1]),
        helper.make_node("Div", ["magnitudes", "mean_edge"], ["active_0"]),
    ]
    initializers = [
        bundle.constant("edge_kernels", edges),
        bundle.constant("mean_kernel", np.full((1, channels, 1, 1), 1 / channels, np.float32)),
        bundle.constant("faintest_edge", np.array([FAINTEST_EDGE], np.float32)),
    ]
    for number, (kernel, bias, stride) in enumerate(weights[:-1], 1):
        names = [f"kernel_{number}", f"bias_{number}"]
        initializers += [bundle.constant(name, value) for name, value in zip(names, (kernel, bias))]
        nodes.append(
            helper.make_node(
                "Conv",
                [f"active_{number - 1}", *names],
                [f"sums_{number}"],
                kernel_shape=[3, 3],
                strides=[stride] * 2,
                pads=[1] * 4,
            )
        )
        nodes.append(helper.make_node("Relu", [f"sums_{number}"], [f"active_{number}"]))
    kernel, bias, _ = weights[-1]
    initializers += [bundle.constant("projection_kernel", kernel), bundle.constant("projection_bias", bias)]
    nodes.append(helper.make_node("GlobalAveragePool", [f"active_{len(weights) - 1}"], ["pooled"]))
    nodes.append(
        helper.make_node(
            "Conv", ["pooled", "projection_kernel", "projection_bias"], ["projection"], kernel_shape=[1, 1]
        )
    )
    return nodes, initializers


def run_all(session, images: np.ndarray, batch: int = 16) -> np.ndarray:
    """The first output for uint8 images."""
    pixels = normalise(images)
    return np.concatenate(
        [session.run(None, {"pixels": pixels[start : start + batch]})[0] for start in range(0, len(pixels), batch)]
    )
