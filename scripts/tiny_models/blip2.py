"""blip2: an image captioner that hands a language model (OPT) a few vectors in place of words, made of the image by a querying transformer."""

import torch
from transformers import Blip2Config, Blip2ForConditionalGeneration, Blip2Processor, BlipImageProcessor, DynamicCache, GenerationConfig

import generation
import images
import inputs
import vocabularies
from common import folder, rounded, write_json
from export import export, save_configuration
from weights import first_seed, randomise

NAME = "blip2"
PREFIX = "Question: how many dogs are there? Answer:"
LAYERS = 2
QUERIES = 4
IMAGES = [*inputs.SQUARE, inputs.WIDE]
PIXELS = {0: "batch_size", 1: "num_channels", 2: "height", 3: "width"}


def configuration(tokenizer):
    token = tokenizer.convert_tokens_to_ids
    shared = {"hidden_size": 32, "num_hidden_layers": LAYERS, "num_attention_heads": 2, "intermediate_size": 64}
    text = {"model_type": "opt", "hidden_size": 32, "word_embed_proj_dim": 32, "num_hidden_layers": LAYERS, "num_attention_heads": 2, "ffn_dim": 64}
    text |= {"vocab_size": len(tokenizer), "max_position_embeddings": 96, "bos_token_id": token("</s>"), "eos_token_id": token("Ċ"), "pad_token_id": token("<pad>")}
    vision, querying = {**shared, "image_size": 64, "patch_size": 16}, {**shared, "cross_attention_frequency": 1, "encoder_hidden_size": 32, "vocab_size": 8}
    return Blip2Config(vision_config=vision, qformer_config=querying, text_config=text, num_query_tokens=QUERIES, image_token_index=token("<image>"))


def built(config, seed):
    model = randomise(Blip2ForConditionalGeneration(config), seed, gain=1.6, attention=2.0, embedding=0.4)
    text = config.text_config
    with torch.no_grad():
        # As in vit_gpt2.py.
        model.language_model.model.decoder.final_layer_norm.weight *= 2.5
        rows = model.language_model.get_input_embeddings().weight
        rows[text.eos_token_id] *= 1.4
        # Neither padding nor the image's place holder is a word; the head shares these rows.
        rows[[text.pad_token_id, config.image_token_index, 0, 3]] *= 0.1
    model.language_model.generation_config = GenerationConfig(bos_token_id=text.bos_token_id, eos_token_id=text.eos_token_id, pad_token_id=text.pad_token_id)
    return model


def cases(model, tokenizer, pixels, settings_of=generation.SETTINGS):
    """The place holders of the image stand first, even before the start token."""
    for prefix in [None, PREFIX]:
        words = tokenizer(prefix).input_ids if prefix else [model.config.text_config.bos_token_id]
        start = [model.config.image_token_index] * QUERIES + words
        given = {"pixel_values": pixels, "input_ids": torch.tensor([start] * len(pixels))}
        for name, settings in settings_of.items():
            sequences, scores = generation.generated(lambda **rest: model.generate(**given, **rest), settings)
            yield {"name": name, "prefix": prefix, "startIds": start, "parameters": settings, "sequences": sequences, "scores": scores}


def run_decoder(model, embeddings, mask, *past):
    """Earlier keys and values may have length 0, so one graph does for the first step and for later ones."""
    cache = DynamicCache.from_legacy_cache(tuple(tuple(past[2 * layer : 2 * layer + 2]) for layer in range(LAYERS)))
    answer = model.language_model(inputs_embeds=embeddings, attention_mask=mask, past_key_values=cache, use_cache=True)
    layers = answer.past_key_values.layers
    return [answer.logits, *(part for layer in layers for part in (layer.keys, layer.values))]


def export_parts(model, path, pixels):
    ids = torch.full((len(pixels), 3), 7)
    text = {0: "batch_size", 1: "sequence_length"}
    export(path / "onnx/vision_encoder.onnx", model, lambda own, values: [own.get_image_features(values)], {"pixel_values": (pixels, PIXELS)}, {"image_features": {0: "batch_size"}})
    export(path / "onnx/embed_tokens.onnx", model, lambda own, numbers: [own.get_input_embeddings()(numbers)], {"input_ids": (ids, text)}, {"inputs_embeds": text})
    with torch.no_grad():
        embeddings = model.get_input_embeddings()(ids)
        past = [torch.randn(len(pixels), 2, 5, 16) for _ in range(2 * LAYERS)]
    names = [f"{layer}.{part}" for layer in range(LAYERS) for part in ["key", "value"]]
    given = {"inputs_embeds": (embeddings, text), "attention_mask": (torch.ones(len(pixels), 8, dtype=torch.long), {0: "batch_size", 1: "total_sequence_length"})}
    given |= {f"past_key_values.{name}": (value, {0: "batch_size", 2: "past_sequence_length"}) for name, value in zip(names, past)}
    outputs = {"logits": text, **{f"present.{name}": {0: "batch_size", 2: "total_sequence_length"} for name in names}}
    export(path / "onnx/decoder_model_merged.onnx", model, run_decoder, given, outputs)


def make():
    path = folder(NAME)
    tokenizer = vocabularies.opt(path)
    processor = BlipImageProcessor(size={"height": 64, "width": 64})
    config = configuration(tokenizer)
    pixels = images.pixel_values(processor, IMAGES)
    end = config.text_config.eos_token_id
    judge = lambda model: generation.complaint(lambda own, **only: cases(own, tokenizer, pixels, **only), model, end)
    seed, model = first_seed(lambda number: built(config, number), judge, first=32)
    save_configuration(model, path)
    model.language_model.generation_config.save_pretrained(path)
    Blip2Processor(processor, tokenizer, num_query_tokens=QUERIES).save_pretrained(path)
    export_parts(model, path, pixels)
    golden = {"model": NAME, "seed": seed, "endId": end, "padId": config.text_config.pad_token_id, "images": IMAGES, "preprocessing": images.described(processor, path)}
    with torch.no_grad():
        golden["imageFeatures"] = rounded(model.get_image_features(pixels))
    golden["cases"] = []
    for case in cases(model, tokenizer, pixels):
        new = [generation.trimmed(each, len(case["startIds"]), end) for each in case["sequences"]]
        golden["cases"].append({**case, "scores": rounded(case["scores"]), "texts": tokenizer.batch_decode(new, skip_special_tokens=True)})
    write_json(path / "goldens.json", golden)
