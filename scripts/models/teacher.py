"""The teacher, all-MiniLM-L6-v2 (Apache-2.0) as an int8 ONNX file: text to unit vectors of 384 numbers,
mean over the mask, then L2. It is read from LABELSTREAM_SHARED_DIR/models and is not part of the repository."""

import hashlib
import os
import re
import time
from pathlib import Path

import bundle
import numpy as np
import onnxruntime
from tokenizers import Tokenizer

DIMENSIONS = 384
PIECES_MAX = 128
# What one call computes at most, in word pieces: enough to keep a core busy, small enough for its cache.
PIECES_PER_BATCH = 1024


def directory() -> Path:
    return bundle.shared_directory() / "models" / "all-MiniLM-L6-v2"


def open_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(directory() / "tokenizer.json"))
    # The file pads to 128 by itself, which costs ten times the work for a word.
    tokenizer.no_padding()
    tokenizer.enable_truncation(PIECES_MAX)
    return tokenizer


def whole_words() -> list[str]:
    """The teacher's own whole words: letters and digits, no pieces, no special tokens; in alphabetical order."""
    return sorted(word for word in open_tokenizer().get_vocab() if re.fullmatch(r"[a-z0-9]+", word))


def compute(texts: list[str]) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("LABELSTREAM_TEACHER_THREADS", "2"))
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = onnxruntime.InferenceSession(
        str(directory() / "onnx" / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    encodings = open_tokenizer().encode_batch(texts)
    lengths = np.array([len(encoding.ids) for encoding in encodings])
    # Texts of one length share a batch: nothing is padded, so the mask is all ones and the mean is plain.
    order = np.argsort(lengths, kind="stable")
    vectors = np.zeros((len(texts), DIMENSIONS), np.float32)
    start = 0
    while start < len(order):
        length = lengths[order[start]]
        limit = start + max(1, PIECES_PER_BATCH // length)
        end = start
        while end < min(limit, len(order)) and lengths[order[end]] == length:
            end += 1
        batch = order[start:end]
        ids = np.array([encodings[item].ids for item in batch], np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        vectors[batch] = session.run(None, inputs)[0].mean(axis=1)
        start = end
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def embed(texts: list[str]) -> np.ndarray:
    """[texts, 384]; kept in LABELSTREAM_TEACHER_CACHE where that is set, for it takes minutes."""
    cache = os.environ.get("LABELSTREAM_TEACHER_CACHE")
    path = Path(cache or ".") / (hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16] + ".npy")
    if cache and path.exists():
        return np.load(path)
    began = time.monotonic()
    vectors = compute(texts)
    print(f"teacher: {len(texts)} texts in {time.monotonic() - began:.0f} s", flush=True)
    if cache:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, vectors)
    return vectors


def embed_once(lists: list[list[str]]):
    """Embeds the lists and gives a function that looks up the vectors of texts in them."""
    vectors = np.vstack([embed(texts) for texts in lists])
    numbers = {text: number for number, text in enumerate(text for texts in lists for text in texts)}
    return lambda texts: vectors[[numbers[text] for text in texts]]
