"""To ONNX, by torch alone: named tensors in, named tensors out."""

import onnx
import torch
from torch import nn

from common import OPSET


class Named(nn.Module):
    """A function of a model, as a module whose inputs are positions, which is what the exporter takes."""

    def __init__(self, model, run):
        super().__init__()
        self.model = model
        self.run = run

    def forward(self, *values):
        return tuple(self.run(self.model, *values))


def export(path, model, run, inputs, outputs):
    """`inputs` maps a name to (example, {axis: its name}); `outputs` a name to {axis: its name}."""
    axes = {**{name: named for name, (_, named) in inputs.items()}, **outputs}
    with torch.no_grad():
        torch.onnx.export(
            Named(model, run).eval(),
            tuple(example for example, _ in inputs.values()),
            str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            do_constant_folding=True,
            dynamo=False,
        )
    strip(path)


def save_configuration(model, path):
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(path)


def strip(path):
    """Without the notes on the exporter's source lines, and with short names for what is neither input nor output: the long ones took half of a file."""
    model = onnx.load(path)
    kept = {value.name for value in [*model.graph.input, *model.graph.output]}
    short = {"": ""}
    rename = lambda name: name if name in kept else short.setdefault(name, f"t{len(short)}")
    for graph in graphs_of(model.graph):
        for value in [*graph.initializer, *graph.input, *graph.output]:
            value.name = rename(value.name)
        del graph.value_info[:]
        graph.doc_string = ""
        for node in graph.node:
            node.doc_string = node.name = ""
            node.input[:] = [rename(name) for name in node.input]
            node.output[:] = [rename(name) for name in node.output]
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    attribute.t.name = ""
            del node.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, path)


def graphs_of(graph):
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs_of(attribute.g)
