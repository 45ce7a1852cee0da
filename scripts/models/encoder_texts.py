"""What the static encoder is fitted to, and what is kept back to judge it: whole synsets of WordNet; of banking77 whole
intents, and of the other intents the rows whose hash is small. A kept-back text that nearly repeats a fitted one judges nothing."""

import hashlib

import bucket_table
import numpy as np
import sample_texts
import teacher
import topic_texts
import word_lists

INTENT_STEP = 8
SHA256_FIRST_BYTE_BELOW = 51
SYNSET_STEP = 50
# Shared words by all words of both, from which on two texts are near-duplicates.
NEAR_DUPLICATE = 0.8


def words() -> list[str]:
    """The word list's and the teacher's own, in alphabetical order."""
    return sorted(set(word_lists.american_words()) | set(teacher.whole_words()))


def held_out_intents() -> list[str]:
    return sorted({intent for _, intent in sample_texts.banking77()})[::INTENT_STEP]


def is_held_out_row(text: str) -> bool:
    return hashlib.sha256(text.encode()).digest()[0] < SHA256_FIRST_BYTE_BELOW


def split() -> tuple[dict, dict]:
    """Texts by their source: those to fit, and those held out, near-duplicates still among them."""
    synsets = word_lists.wordnet_synsets()
    banking, intents = sample_texts.banking77(), set(held_out_intents())
    known = [text for text, intent in banking if intent not in intents]
    fitted = {
        "words": words(),
        "wordnet": [text for index, texts in enumerate(synsets) if index % SYNSET_STEP for text in texts],
        "sentences": [text for text, _ in topic_texts.labelled_texts()],
        "banking": [text for text in known if not is_held_out_row(text)],
    }
    held_out = {
        "bankingIntents": [text for text, intent in banking if intent in intents],
        "bankingRows": [text for text in known if is_held_out_row(text)],
        "wordnet": [text for texts in synsets[::SYNSET_STEP] for text in texts],
    }
    return fitted, held_out


def without_near_duplicates(held_out: list[str], fitted: list[str], parameters: dict) -> list[str]:
    """Those whose words are nobody's among the fitted texts, or nearly so."""
    lexicon = bucket_table.Lexicon(parameters)
    sets = [lexicon.count_words(texts, as_shares=False) > 0 for texts in (fitted, held_out)]
    sets = [bucket_table.widen(matrix.astype(np.float32), len(lexicon.numbers)) for matrix in sets]
    sizes = [np.asarray(matrix.sum(axis=1)).ravel() for matrix in sets]
    kept = []
    transposed = sets[0].T.tocsr()
    for start in range(0, len(held_out), 200):
        rows = slice(start, start + 200)
        shared = (sets[1][rows] @ transposed).tocoo()
        united = sizes[1][rows][shared.row] + sizes[0][shared.col] - shared.data
        repeated = set(shared.row[shared.data >= NEAR_DUPLICATE * united].tolist())
        kept += [text for index, text in enumerate(held_out[rows]) if index not in repeated]
    return kept
