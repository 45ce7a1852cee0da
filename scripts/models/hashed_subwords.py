"""The text preprocessing of src/models/preprocessing/hashed-subwords.ts, bit for bit; what the steps are and why is
written there. test/models/preprocessing/hashed-subwords.golden.json, made here, holds the two together."""

import unicodedata
from functools import lru_cache

import numpy as np


def hash_utf8(text: str) -> int:
    """FNV-1a, 32 bits, over UTF-8, then the finaliser of MurmurHash3 so that low bits are well mixed."""
    value = 0x811C9DC5
    for byte in text.encode("utf-8"):
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    value ^= value >> 16
    value = (value * 0x85EBCA6B) & 0xFFFFFFFF
    value ^= value >> 13
    value = (value * 0xC2B2AE35) & 0xFFFFFFFF
    return value ^ (value >> 16)


@lru_cache(maxsize=None)
def is_word_character(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def split_words(text: str, parameters: dict) -> list[str]:
    """Every word of the text, lower-case, in pieces of at most maxWordLength code points."""
    folded = unicodedata.normalize("NFKC", text[: parameters["maxCharacters"]]).lower()
    words, word = [], []
    for character in folded:
        if not is_word_character(character):
            if word:
                words.append("".join(word))
            word = []
            continue
        word.append(character)
        if len(word) == parameters["maxWordLength"]:
            words.append("".join(word))
            word = []
    if word:
        words.append("".join(word))
    return words


def word_tokens(word: str, parameters: dict) -> tuple[list[int], list[float]]:
    """Ids and weights of one word: its own bucket with weight 1, then its n-grams, which share a weight of 1."""
    ids = [hash_utf8(word) % parameters["wordBuckets"]]
    marked = f"<{word}>"
    grams = [
        marked[start : start + length]
        for length in range(parameters["ngramLengthMin"], parameters["ngramLengthMax"] + 1)
        for start in range(len(marked) - length + 1)
    ]
    ids += [parameters["wordBuckets"] + hash_utf8(gram) % parameters["ngramBuckets"] for gram in grams]
    share = float(np.float32(1 / len(grams))) if grams else 0.0
    return ids, [1.0] + [share] * len(grams)


def hashed_subwords(text: str, parameters: dict) -> tuple[list[int], list[float]]:
    ids, weights = [], []
    for word in split_words(text, parameters):
        word_ids, word_weights = word_tokens(word, parameters)
        if len(ids) + len(word_ids) > parameters["maxTokens"]:
            break
        ids += word_ids
        weights += word_weights
    return ids, weights
