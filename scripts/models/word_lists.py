"""Words and short texts from Debian: the word list `wamerican` (SCOWL, free to use) and the dictionary
`wordnet-base` (WordNet 3.0, free to use). Neither is part of the repository; LABELSTREAM_WORD_LISTS says where
their usr/share is, if they are unpacked and not installed."""

import os
import re
from pathlib import Path


def directory() -> Path:
    return Path(os.environ.get("LABELSTREAM_WORD_LISTS", "/usr/share"))


def american_words() -> list[str]:
    """Lower-case, without the possessives, in alphabetical order."""
    lines = (directory() / "dict" / "american-english").read_text("utf-8").splitlines()
    return sorted({line.strip().lower() for line in lines if "'" not in line})


# Field 1 of a line is its lexicographer file; the species of these two would fill the space with taxonomy.
ANIMALS, PLANTS = "05", "20"


def parse_synset(line: str) -> list[str]:
    """`lemma, lemma: definition`, then its example sentences of at least three words."""
    head, gloss = line.split(" | ", 1)
    fields = head.split()
    # Field 3 counts the lemmas in hexadecimal; they follow at every second field, some with a position mark.
    names = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
    lemmas = [re.sub(r"\((a|p|ip)\)$", "", name.replace("_", " ")) for name in names]
    definition = re.sub(r';?\s*"[^"]*".*$', "", gloss).strip(" ;\n")
    examples = [example for example in re.findall(r'"([^"]+)"', gloss) if len(example.split()) >= 3]
    return [", ".join(lemmas) + ": " + definition, *examples]


def wordnet_synsets() -> list[list[str]]:
    """The texts of each synset."""
    synsets = []
    for part in ("noun", "verb", "adj", "adv"):
        lines = (directory() / "wordnet" / f"data.{part}").read_text("utf-8").splitlines()
        for line in lines:
            # The licence at the head of each file is indented.
            if not line.startswith("  ") and line.split(" ", 2)[1] not in (ANIMALS, PLANTS):
                synsets.append(parse_synset(line))
    return synsets


def wordnet_texts() -> list[str]:
    return [text for texts in wordnet_synsets() for text in texts]
