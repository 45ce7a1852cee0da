"""Golden ids and vectors of texts of our own, by the Rust tokenizers and onnxruntime for Python: what src/models/preprocessing/tokenizer.ts and the
inference around it have to give for all-MiniLM-L6-v2.

    python tokenizer_golden.py DIRECTORY_OF_THE_MODEL BANKING77_TRAIN_CSV > test/integration/minilm.golden.json

Of banking77 only a hash of the ids is kept. Scripts are left out in which letters became marks or punctuation after Unicode 8: there the two libraries differ.
"""
import csv
import hashlib
import json
import random
import sys
from pathlib import Path

import numpy
import onnxruntime
from tokenizers import Tokenizer

SEED = 7
MAX_TOKENS = 128

SENTENCES = [
    "A cat sits on the mat.", "Hello world", "ΟΔΟΣ ΣΟΦΟΣ, σοφός", "İstanbul ISTANBUL ı", "Straße GROẞ", "naïve café résumé", "e\u0301le\u0300ve",
    "𠀀𠀁 abc 你好世界", "日本語のテキスト", "한국어 문장입니다", "العربية مرحبا", "हिन्दी नमस्ते", "ไทยสวัสดี", "Привет, мир!", "😀 😃👍🏽 hi",
    "👩‍👩‍👧‍👦 family", "🫠🫡🪿 new emoji", "a\u0000b\u0001c", "tab\there\nnew\r\nline\u0085x\u2028y", "zero\u200bwidth\u200djoin\ufeffbom", "soft\u00adhyphen",
    "[SEP] [MASK] [CLS] [PAD] [UNK]", "x[SEP]y", "[sep]", "[MASK]ed", "ﬁne ﬂow", "½ ¼ №", "don't can't won't", "U.S.A. e.g. i.e.",
    "http://example.com/a/b?c=d&e=f#g", "$10,000.00 €5 £3 ¥9", "a" * 100, "a" * 101, "x" * 99 + " y", "supercalifragilisticexpialidocious", "½" * 120,
    "😀" * 60, "‐‑‒–—―", "«quoted» „text“ ‚s‘", "^`~|<>+=$", "snake_case camelCase kebab-case", "1234567890 12:34:56 2026-11-21", "\ue000private\uf8ff x",
    "Ǆ ǅ ǆ ß ﬃ", "ΐ ΰ Ά", "℃ K Å", "ｆｕｌｌｗｉｄｔｈ", "ａ。ｂ、ｃ", "𝕳𝖊𝖑𝖑𝖔", "①②③ ⅣⅤ", "\u3000wide\u3000space \u2009thin", "Việt Nam", "Łódź Øre Đ", "ʻokina ’curly’ …dots…", "ﷺ",
    "word " * 300, "Zoë’s café in Łódź sells 12 kinds of ☕ and 茶, open from 8:30.", "long unbroken " + "ab" * 40 + " tail",
]
RANGES = [(0xA0, 0x24F), (0x370, 0x3FF), (0x400, 0x52F), (0x5D0, 0x5EA), (0x621, 0x64A), (0x905, 0x939), (0xE01, 0xE3A), (0x1E00, 0x1EFF), (0x2010, 0x2BFF),
          (0x3001, 0x30FF), (0x4E00, 0x9FEF), (0xAC00, 0xD7A3), (0xFF01, 0xFFEF), (0x1D400, 0x1D7CB), (0x1F300, 0x1FAFF), (0x20000, 0x2A6DF), (0x1, 0x1F)]
WORDS = "the a card payment was not Zürich running unbelievably tokenization GPU-driven e-mail 3rd COVID-19 straße Москва 東京 it's (maybe) 100% well... #1".split()


def texts():
    chance = random.Random(SEED)
    made = list(SENTENCES)
    for _ in range(300):
        low, high = chance.choice(RANGES)
        letters = (" " if chance.random() < 0.15 else chr(chance.randint(low, high) if chance.random() < 0.7 else chance.randint(0x20, 0x7E)) for _ in range(chance.randint(1, 30)))
        made.append("".join(letters))
    for _ in range(150):
        made.append(" ".join(chance.choice(WORDS) for _ in range(chance.randint(1, 60))))
    return made


def embeddings(directory, encodings):
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = onnxruntime.InferenceSession(str(directory / "onnx/model.onnx"), options, providers=["CPUExecutionProvider"])
    for encoding in encodings:
        feeds = {"input_ids": encoding.ids, "attention_mask": encoding.attention_mask, "token_type_ids": encoding.type_ids}
        [states] = session.run(["last_hidden_state"], {name: numpy.array([values], dtype=numpy.int64) for name, values in feeds.items()})
        mean = states[0].astype(numpy.float64).mean(axis=0)
        yield [round(float(value), 7) for value in mean / numpy.linalg.norm(mean)]


def main():
    directory = Path(sys.argv[1])
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    made = texts()
    encodings = [tokenizer.encode(text) for text in made]
    with open(sys.argv[2], newline="", encoding="utf-8") as file:
        banking = [tokenizer.encode(row["text"]).ids for row in csv.DictReader(file)]
    chosen = range(0, len(made), 40)
    golden = {
        "maxTokens": MAX_TOKENS,
        "texts": [{"text": text, "ids": encoding.ids} for text, encoding in zip(made, encodings)],
        "vectors": [{"text": made[index], "vector": vector} for index, vector in zip(chosen, embeddings(directory, [encodings[index] for index in chosen]))],
        "banking": {"texts": len(banking), "sha256": hashlib.sha256("\n".join(" ".join(map(str, ids)) for ids in banking).encode()).hexdigest()},
    }
    json.dump(golden, sys.stdout, ensure_ascii=True, separators=(",", ":"))
    print()


main()
