"""bert: a sentence encoder with mean pooling, in the layout of sentence-transformers."""

import json

import torch
from transformers import BertConfig, BertModel

import vocabularies
from common import folder, rounded, write_json
from export import export, save_configuration
from weights import randomise

NAME = "bert"
TEXTS = [
    "a red circle on a table",
    "A red circle, on a TABLE!",
    "hello world",
    "numbers such as 12, 345 and 6789 are read aloud. the quick brown fox jumps over the lazy dog.",
    "Straße, naïve café, 東京 and emoji 🙂",
    "",
]


def embedded(model, tokens):
    """The mean of the states of all real tokens (special ones too), scaled to length 1."""
    with torch.no_grad():
        states = model(**tokens).last_hidden_state
    mask = tokens["attention_mask"][..., None].float()
    return torch.nn.functional.normalize((states * mask).sum(dim=1) / mask.sum(dim=1))


def make():
    path = folder(NAME)
    tokenizer = vocabularies.bert(path)
    config = BertConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, max_position_embeddings=64)
    seed = 0
    model = randomise(BertModel(config, add_pooling_layer=False), seed, gain=1.5, attention=2.0)
    save_configuration(model, path)
    tokenizer.save_pretrained(path)
    kinds = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
    modules = [{"idx": number, "name": str(number), "path": place, "type": f"sentence_transformers.models.{kind}"} for number, (kind, place) in enumerate(kinds)]
    (path / "modules.json").write_text(json.dumps(modules, indent=2) + "\n")
    (path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 64, "do_lower_case": False}, indent=2) + "\n")
    (path / "1_Pooling").mkdir(exist_ok=True)
    pooling = {"word_embedding_dimension": 32, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": False}
    (path / "1_Pooling/config.json").write_text(json.dumps(pooling, indent=2) + "\n")
    tokens = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    axes = {0: "batch_size", 1: "sequence_length"}
    given = {name: (tokens[name], axes) for name in ["input_ids", "attention_mask", "token_type_ids"]}
    run = lambda own, ids, mask, types: [own(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state]
    export(path / "onnx/model.onnx", model, run, given, {"last_hidden_state": axes})
    vectors = embedded(model, tokens)
    alone = torch.cat([embedded(model, tokenizer([text], return_tensors="pt")) for text in TEXTS])
    assert torch.allclose(vectors, alone, atol=1e-5)
    write_json(path / "goldens.json", {"model": NAME, "seed": seed, "texts": TEXTS, "tokenIds": [tokenizer(text).input_ids for text in TEXTS], "embeddings": rounded(vectors)})
