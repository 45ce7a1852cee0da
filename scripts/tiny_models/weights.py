"""Random weights large enough that what goes in decides what comes out.

The libraries' own initialisation (a deviation of 0.02) makes a tiny model answer nearly the same to everything.
"""

import copy

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D


def filled(tensor, generator, deviation, mean=0.0):
    with torch.no_grad():
        tensor.copy_(mean + deviation * torch.randn(tensor.shape, generator=generator))


def randomise(model, seed, gain=1.0, attention=2.0, embedding=1.0):
    """Weights by their fan-in, so that the size of the signal holds from layer to layer; `attention` sharpens queries and keys."""
    model.set_attn_implementation("eager")
    generator = torch.Generator().manual_seed(seed)
    done = set()
    for name, module in model.named_modules():
        for own, tensor in module.named_parameters(recurse=False):
            if id(tensor) in done or own == "logit_scale" or own == "logit_bias":
                continue
            done.add(id(tensor))
            randomise_one(f"{name}.{own}", module, own, tensor, generator, gain, attention, embedding)
        for own, tensor in module.named_buffers(recurse=False):
            if own == "running_mean":
                filled(tensor, generator, 0.1)
            elif own == "running_var":
                tensor.copy_(0.8 + 0.4 * torch.rand(tensor.shape, generator=generator))
    return model.eval()


def randomise_one(name, module, own, tensor, generator, gain, attention, embedding):
    if tensor.ndim < 2:
        is_scale = own == "weight" and "norm" in f"{type(module).__name__} {name}".lower()
        filled(tensor, generator, 0.1, 1.0 if is_scale else 0.0)
    elif isinstance(module, nn.Embedding):
        filled(tensor, generator, embedding)
    elif isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d, Conv1D)):
        fan_in = tensor.shape[0] if isinstance(module, Conv1D) else tensor[0].numel()
        sharp = any(part in name for part in ["query", "q_proj", "k_proj", "key.", "c_attn", "qkv"])
        filled(tensor, generator, (attention if sharp else gain) / fan_in**0.5)
    else:
        filled(tensor, generator, embedding)


def disturbed(model, relative=1e-5, seed=1):
    """A copy whose weights differ in the fifth digit: what it answers likewise hangs on no close call."""
    generator = torch.Generator().manual_seed(seed)
    other = copy.deepcopy(model)
    with torch.no_grad():
        for tensor in other.parameters():
            tensor.mul_(1 + relative * torch.randn(tensor.shape, generator=generator))
    return other


def first_seed(build, complaints, first=0, tries=200):
    """The first seed whose model has nothing said against it: (seed, model). Where others were tried before, `first` spares trying them again."""
    for seed in range(first, first + tries):
        model = build(seed)
        reason = complaints(model)
        if reason is None:
            return seed, model
        print(f"seed {seed}: {reason}", flush=True)
    raise RuntimeError("no seed will do")
