"""Makes the tiny models and their golden answers, all of them or those that are named.

    python scripts/tiny_models/make.py [NAME ...]

See README.md beside this file.
"""

import sys
import time

import torch
import transformers

import bert
import blip
import blip2
import contrastive
import detection
import inputs
import vgg16
import vit_gpt2
import whisper
from common import write_hashes

MAKERS = {
    "inputs": inputs.make,
    "vit-gpt2": vit_gpt2.make,
    "whisper": whisper.make,
    "clip": contrastive.make_clip,
    "siglip": contrastive.make_siglip,
    "owlvit": detection.make_owlvit,
    "detr": detection.make_detr,
    "blip": blip.make,
    "blip2": blip2.make,
    "vgg16": vgg16.make,
    "bert": bert.make,
}


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    for name in sys.argv[1:] or MAKERS:
        started = time.monotonic()
        MAKERS[name]()
        print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
    write_hashes()


if __name__ == "__main__":
    main()
