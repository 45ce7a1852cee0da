"""Real tokenizers on small vocabularies: trained here, then converted and saved by the library's own classes."""

import json
from collections import Counter

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertTokenizerFast, CLIPTokenizerFast, GPT2TokenizerFast, SiglipTokenizer, WhisperTokenizerFast
from transformers.models.whisper.tokenization_whisper import LANGUAGES

from corpus import sentences

BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
END = "<|endoftext|>"


def learnt_merges(tokenizer, size, **options):
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=BYTES, show_progress=False, **options)
    tokenizer.train_from_iterator(sentences(), trainer)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) for merge in merges]


def write_byte_pairs(path, symbols, merges, last):
    """vocab.json and merges.txt: the symbols, then what the merges make, then the special tokens."""
    tokens = list(dict.fromkeys([*symbols, *("".join(pair) for pair in merges), *last]))
    (path / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}, ensure_ascii=False), encoding="utf-8")
    (path / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{left} {right}\n" for left, right in merges), encoding="utf-8")
    return [str(path / "vocab.json"), str(path / "merges.txt")]


def byte_level_files(path, size):
    """As GPT-2 and Whisper have them: bytes, merges, and one special token at the end."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return write_byte_pairs(path, BYTES, learnt_merges(tokenizer, size - 1), [END])


def compact(path):
    """The files of a tokenizer without indentation, and its special tokens once: tokenizer.json has them too."""
    for name in ["tokenizer.json", "tokenizer_config.json"]:
        value = json.loads((path / name).read_text(encoding="utf-8"))
        if name == "tokenizer_config.json":
            value.pop("added_tokens_decoder", None)
        (path / name).write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    (path / "added_tokens.json").unlink(missing_ok=True)


def gpt2(path, size=400):
    vocabulary, merges = byte_level_files(path, size)
    return GPT2TokenizerFast(vocabulary, merges, model_max_length=64)


def opt(path, size=420):
    """GPT-2's kind, but every text begins with the token that ends texts elsewhere; `<image>` is the place holder of BLIP-2."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    files = write_byte_pairs(path, [*special, *BYTES], learnt_merges(tokenizer, size - len(special)), [])
    fast = GPT2TokenizerFast(*files, unk_token="<unk>", bos_token="</s>", eos_token="</s>", pad_token="<pad>", model_max_length=96)
    fast.add_special_tokens({"additional_special_tokens": ["<image>"]})
    start = fast.convert_tokens_to_ids("</s>")
    fast.backend_tokenizer.post_processor = processors.TemplateProcessing(single="</s> $A", pair="</s> $A </s> $B", special_tokens=[("</s>", start)])
    return fast


def whisper(path, size=400):
    """The multilingual special tokens in their real order: languages, tasks, and 1501 timestamps."""
    vocabulary, merges = byte_level_files(path, size)
    tokenizer = WhisperTokenizerFast(vocabulary, merges, unk_token=END, bos_token=END, eos_token=END, pad_token=END, model_max_length=1024)
    special = ["<|startoftranscript|>", *(f"<|{code}|>" for code in list(LANGUAGES)[:99]), "<|translate|>", "<|transcribe|>"]
    special += ["<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    tokenizer.add_tokens([AddedToken(f"<|{step * 0.02:.2f}|>", special=False, normalized=False) for step in range(1501)])
    tokenizer.set_prefix_tokens()
    return tokenizer


def merges_with_ends(words, number):
    """Byte pairs of words whose last symbol is marked as the last; of pairs that are as frequent the first in the alphabet. The library's trainer breaks such ties by chance."""
    spelled = {word: [*word[:-1], f"{word[-1]}</w>"] for word in words}
    merges = []
    while len(merges) < number:
        pairs = Counter()
        for word, symbols in spelled.items():
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += words[word]
        (left, right), = by_frequency(pairs, 1)
        merges.append((left, right))
        for symbols in spelled.values():
            for place in range(len(symbols) - 2, -1, -1):
                if symbols[place : place + 2] == [left, right]:
                    symbols[place : place + 2] = [left + right]
    return merges


def clip(path, size=640, pad=END):
    """Lower case, and words that end in `</w>`: bytes, bytes that end a word, merges, two special tokens."""
    pattern = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    splitter = pre_tokenizers.Sequence([pre_tokenizers.Split(pattern, "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    words = Counter(word for text in sentences() for word, _ in splitter.pre_tokenize_str(text.lower()))
    symbols = [*BYTES, *(f"{byte}</w>" for byte in BYTES)]
    files = write_byte_pairs(path, symbols, merges_with_ends(words, size - 2 - len(symbols)), ["<|startoftext|>", END])
    return CLIPTokenizerFast(*files, pad_token=pad, model_max_length=77)


def by_frequency(counts, number):
    return [text for text, _ in sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:number]]


def bert(path, length=64):
    """Characters, frequent words and frequent ends of words. The library's trainer of such vocabularies gives another one each time."""
    normalizer, splitter = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    words = Counter(word for text in sentences() for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text)))
    ends = Counter()
    for word, count in words.items():
        for start in range(1, len(word) - 1):
            ends[f"##{word[start:]}"] += count
    characters = sorted({character for word in words for character in word})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters, *(f"##{each}" for each in characters), *by_frequency(words, 100), *by_frequency(ends, 100)]
    (path / "vocab.txt").write_text("".join(f"{piece}\n" for piece in dict.fromkeys(pieces)), encoding="utf-8")
    return BertTokenizerFast(str(path / "vocab.txt"), model_max_length=length)


def siglip(path, size=120):
    """A SentencePiece model for Python, and the same pieces as tokenizer.json for everyone else."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences()),
        model_prefix=str(path / "spiece"),
        vocab_size=size,
        model_type="unigram",
        normalization_rule_name="identity",
        num_threads=1,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        pad_piece="<pad>",
        minloglevel=2,
    )
    (path / "spiece.vocab").unlink()
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(path / "spiece.model"))
    scores = [(pieces.id_to_piece(each), pieces.get_score(each)) for each in range(pieces.get_piece_size())]
    fast = Tokenizer(models.Unigram(scores, unk_id=2, byte_fallback=False))
    cleaning = [normalizers.Lowercase(), normalizers.Replace(Regex(r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]"), ""), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    fast.normalizer = normalizers.Sequence(cleaning)
    fast.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    fast.decoder = decoders.Metaspace(prepend_scheme="always")
    fast.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    fast.add_special_tokens([AddedToken("</s>", special=True), AddedToken("<unk>", special=True)])
    slow = SiglipTokenizer(str(path / "spiece.model"), pad_token="</s>", model_max_length=64)
    slow.save_pretrained(path)
    fast.save(str(path / "tokenizer.json"))
    for text in sentences()[::17]:
        assert slow(text).input_ids == fast.encode(text).ids, text
    return slow
