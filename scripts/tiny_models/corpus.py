"""Sentences that vocabularies are learnt from, made by a small grammar."""

import itertools

COLOURS = ["red", "green", "blue", "yellow", "white", "dark"]
THINGS = ["circle", "square", "stripe", "house", "bird", "boat", "tree", "street", "photo of a cat", "picture of two dogs", "remote control"]
PLACES = ["on a table", "in the water", "under the sky", "next to a window", "behind the wall", "at night"]
SPOKEN = [
    "hello world, how are you today?",
    "it's raining, and the river is rising.",
    "we'll meet at nine o'clock in the morning.",
    "the quick brown fox jumps over the lazy dog.",
    "she sells sea shells by the sea shore.",
    "please turn left at the next station!",
    "they don't know what the weather will bring.",
    "numbers such as 12, 345 and 6789 are read aloud.",
]


def sentences():
    captions = [f"a {colour} {thing} {place}" for colour, thing, place in itertools.product(COLOURS, THINGS, PLACES)]
    return captions + [f"this is a photo of {thing}." for thing in THINGS] + SPOKEN * 12
