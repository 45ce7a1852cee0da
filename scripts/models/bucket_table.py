"""A table of vectors for hashed subwords, fitted to words, and the ONNX nodes that sum it for a text.

Rows are int8, or two numbers of 4 bits in a byte, with one scale per row, and are taken back to float32 after the
lookup: the file is small, the arithmetic is float32, and nothing depends on what else is in the batch, which no
dynamic quantisation can say."""

import bundle
import numpy as np
import scipy.sparse as sparse
from hashed_subwords import split_words, word_tokens
from onnx import TensorProto, helper


class Lexicon:
    """Numbers words in the order of their first appearance."""

    def __init__(self, parameters: dict):
        self.parameters = parameters
        self.numbers: dict[str, int] = {}

    def number(self, word: str) -> int:
        return self.numbers.setdefault(word, len(self.numbers))

    def count_words(self, texts: list[str], as_shares: bool) -> sparse.csr_matrix:
        """[texts, words seen so far]: how often each word is in each text, or its share of it."""
        rows, columns, counts = [], [], []
        for row, text in enumerate(texts):
            words = split_words(text, self.parameters)
            rows += [row] * len(words)
            columns += [self.number(word) for word in words]
            counts += [1 / len(words) if as_shares else 1] * len(words)
        shape = (len(texts), len(self.numbers))
        return sparse.csr_matrix((np.array(counts, np.float32), (rows, columns)), shape)

    def buckets(self) -> sparse.csr_matrix:
        """[words, buckets]: the weights that the preprocessing gives each word's buckets."""
        rows, columns, weights = [], [], []
        for row, word in enumerate(self.numbers):
            ids, word_weights = word_tokens(word, self.parameters)
            rows += [row] * len(ids)
            columns += ids
            weights += word_weights
        shape = (len(self.numbers), self.parameters["wordBuckets"] + self.parameters["ngramBuckets"])
        return sparse.csr_matrix((np.array(weights, np.float32), (rows, columns)), shape)


def widen(matrix: sparse.csr_matrix, columns: int) -> sparse.csr_matrix:
    return sparse.csr_matrix((matrix.data, matrix.indices, matrix.indptr), (matrix.shape[0], columns))


def ridge(features, targets, penalty, start, row_weights=None, steps=30):
    """argmin_v sum_i w_i |features_i v - targets_i|^2 + penalty |v - start|^2, by conjugate gradients with
    the diagonal as preconditioner, all columns at once. `penalty` is a number or one per row of v."""
    weighted = features if row_weights is None else sparse.diags(row_weights).dot(features)
    transposed = weighted.T.tocsr()
    penalties = np.broadcast_to(np.asarray(penalty, np.float32).reshape(-1, 1), (start.shape[0], 1))
    diagonal = np.asarray(features.multiply(weighted).sum(0)).reshape(-1, 1) + penalties
    solution = start.astype(np.float32).copy()
    residual = transposed @ (targets - features @ solution)
    step = residual / diagonal
    direction = step.copy()
    strength = (residual * step).sum(0)
    for _ in range(steps):
        image = transposed @ (features @ direction) + penalties * direction
        length = strength / np.maximum((direction * image).sum(0), 1e-30)
        solution += length * direction
        residual -= length * image
        step = residual / diagonal
        following = (residual * step).sum(0)
        direction = step + following / np.maximum(strength, 1e-30) * direction
        strength = following
    return solution


# A word that no text uses keeps half the length that it has alone; the more texts, the less this counts.
ALONE_SHARE, ALONE_PENALTY = 0.5, 0.05
BUCKET_PENALTY = 0.05


def fit_words(texts, targets, words, word_targets, parameters):
    """Word vectors whose mean over a text is near its target. Returns lexicon, vectors, texts per word."""
    lexicon = Lexicon(parameters)
    shares = lexicon.count_words(texts, as_shares=True)
    for word in words:
        lexicon.number(word)
    shares = widen(shares, len(lexicon.numbers))
    start = np.zeros((len(lexicon.numbers), targets.shape[1]), np.float32)
    start[[lexicon.numbers[word] for word in words]] = ALONE_SHARE * word_targets
    vectors = ridge(shares, targets, ALONE_PENALTY, start)
    return lexicon, vectors, np.asarray((shares > 0).sum(axis=0)).ravel()


def fit_buckets(lexicon, vectors, text_counts) -> np.ndarray:
    """A common word's error matters more, for it is met more often."""
    buckets = lexicon.buckets()
    start = np.zeros((buckets.shape[1], vectors.shape[1]), np.float32)
    importance = (text_counts + 1).astype(np.float32)
    return ridge(buckets, vectors, BUCKET_PENALTY, start, importance, steps=40)


def quantise(table: np.ndarray, highest: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers from -highest to highest and float32 scales [rows, 1], whose product is nearest to the table."""
    scales = (np.abs(table).max(axis=1, keepdims=True) / highest).astype(np.float32)
    scales[scales == 0] = 1
    return np.round(table / scales).astype(np.int8), scales


def weight_nodes() -> list:
    """ids, weights [batch, length] -> weight_rows [batch, 1, length], the rows' scales in them, and int8_rows."""
    return [
        helper.make_node("Gather", ["table", "ids"], ["int8_rows"], axis=0),
        helper.make_node("Cast", ["int8_rows"], ["rows"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["scales", "ids"], ["row_scales"], axis=0),
        helper.make_node("Squeeze", ["row_scales", "last_axis"], ["flat_scales"]),
        helper.make_node("Mul", ["weights", "flat_scales"], ["scaled_weights"]),
        helper.make_node("Unsqueeze", ["scaled_weights", "item_axis"], ["weight_rows"]),
    ]


def sum_nodes() -> list:
    """ids, weights [batch, length] -> sums [batch, 1, width]. Each item is a product [1, length] x [length, width] of
    its own, so its last bits depend neither on the batch nor on its neighbours; padding has weight 0 and adds 0."""
    return [*weight_nodes(), helper.make_node("MatMul", ["weight_rows", "rows"], ["sums"])]


def packed_sum_nodes() -> list:
    """The same for a table of half its width, each byte of which is 16 a + b, with a and b from -7 to 7: a is what
    rounding byte / 16 gives, and b is taken from the sums, which is cheaper than to unpack it row by row."""
    return [
        *weight_nodes(),
        helper.make_node("Mul", ["rows", "sixteenth"], ["row_sixteenths"]),
        helper.make_node("Round", ["row_sixteenths"], ["first_rows"]),
        helper.make_node("MatMul", ["weight_rows", "first_rows"], ["first_sums"]),
        helper.make_node("MatMul", ["weight_rows", "rows"], ["both_sums"]),
        helper.make_node("Mul", ["first_sums", "sixteen"], ["first_parts"]),
        helper.make_node("Sub", ["both_sums", "first_parts"], ["second_sums"]),
        helper.make_node("Concat", ["first_sums", "second_sums"], ["sums"], axis=2),
    ]


def row_initializers(rows: np.ndarray, scales: np.ndarray) -> list:
    return [
        bundle.constant("table", rows),
        bundle.constant("scales", scales),
        bundle.constant("item_axis", np.array([1], np.int64)),
        bundle.constant("last_axis", np.array([2], np.int64)),
    ]


def sum_initializers(table: np.ndarray) -> list:
    return row_initializers(*quantise(table, 127))


def packed_sum_initializers(table: np.ndarray) -> list:
    rows, scales = quantise(table, 7)
    first, second = np.split(rows, 2, axis=1)
    return [
        *row_initializers(16 * first + second, scales),
        bundle.constant("sixteenth", np.array(1 / 16, np.float32)),
        bundle.constant("sixteen", np.array(16, np.float32)),
    ]


INPUTS = [("ids", "int64", ["batch", "length"]), ("weights", "float32", ["batch", "length"])]


def feed(tokens: list, lengths: list[int]) -> dict:
    """One batch of (ids, weights), padded with id 0 and weight 0 to the length bucket that its longest item needs."""
    needed = max(len(ids) for ids, _ in tokens)
    length = next(size for size in lengths if size >= needed)
    batch = {"ids": np.zeros((len(tokens), length), np.int64), "weights": np.zeros((len(tokens), length), np.float32)}
    for row, (ids, weights) in enumerate(tokens):
        batch["ids"][row, : len(ids)] = ids
        batch["weights"][row, : len(weights)] = weights
    return batch
