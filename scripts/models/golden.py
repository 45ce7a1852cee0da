"""Makes test/models/preprocessing/hashed-subwords.golden.json, which holds this folder's preprocessing and that of
src/models/preprocessing/hashed-subwords.ts together: a test there must get the same numbers."""

import bundle
from hashed_subwords import hashed_subwords

PARAMETERS = {
    "wordBuckets": 65521,
    "ngramBuckets": 32749,
    "ngramLengthMin": 3,
    "ngramLengthMax": 5,
    "maxWordLength": 12,
    "maxCharacters": 80,
    "maxTokens": 120,
}
TEXTS = [
    "",
    " \t\n.,;!?",
    "a",
    "The harbour opens again",
    "THE HARBOUR opens, again!",
    "don't e-mail user_name 3.14",
    "na\u00efve fa\u00e7ade cafe\u0301 STRASSE Stra\u00dfe",
    "\uff26\uff55\uff4c\uff4c \ufb01ne \u2460 x\u00b2 \u00bd",
    "\u0130stanbul \u039f\u0394\u039f\u03a3 \u01c5",
    "\u6771\u4eac\u306f\u65e5\u672c\u306e\u9996\u90fd \u0928\u092e\u0938\u094d\u0924\u0947",
    "smile \U0001f600 family \U0001f468\u200d\U0001f469\u200d\U0001f467 \U00010400\U00010428",
    "Donaudampfschifffahrtsgesellschaft",
    "zero\u200bwidth soft\u00adhyphen nul\u0000byte",
    "\ufdfa",
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen",
    "\U0001d5ba" * 100,
    "x" * 79 + "\U0001f600y",
]


def main() -> None:
    cases = []
    for text in TEXTS:
        ids, weights = hashed_subwords(text, PARAMETERS)
        cases.append({"text": text, "ids": ids, "weights": bundle.decimals(weights)})
    golden = {"parameters": PARAMETERS, "cases": "CASES"}
    lines = ",\n".join("    " + bundle.json.dumps(case) for case in cases)
    path = bundle.REPOSITORY / "test" / "models" / "preprocessing" / "hashed-subwords.golden.json"
    bundle.write_json(path, golden)
    path.write_text(path.read_text("utf-8").replace('"CASES"', "[\n" + lines + "\n  ]"), "utf-8")


if __name__ == "__main__":
    main()
