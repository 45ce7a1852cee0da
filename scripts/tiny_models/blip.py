"""blip: an image captioner whose text decoder looks at the image through cross-attention."""

import torch
from transformers import BlipConfig, BlipForConditionalGeneration, BlipImageProcessor, BlipProcessor, DynamicCache, EncoderDecoderCache, GenerationConfig

import generation
import images
import inputs
import vocabularies
from cached_decoder import cache_names, export_merged
from common import folder, rounded, write_json
from export import export, save_configuration
from weights import first_seed, randomise

NAME = "blip"
PREFIX = "a photo of"
LAYERS = 2
PIXELS = {0: "batch_size", 1: "num_channels", 2: "height", 3: "width"}


def configuration(tokenizer):
    """As in the real one, the start token is the first number behind the tokenizer's vocabulary, unknown to the tokenizer."""
    shared = {"hidden_size": 32, "num_hidden_layers": LAYERS, "num_attention_heads": 2, "intermediate_size": 64}
    separator = tokenizer.sep_token_id
    text = {**shared, "vocab_size": len(tokenizer) + 2, "encoder_hidden_size": 32, "max_position_embeddings": 64, "bos_token_id": len(tokenizer)}
    text |= {"sep_token_id": separator, "eos_token_id": separator, "pad_token_id": tokenizer.pad_token_id, "is_decoder": True}
    return BlipConfig(text_config=text, vision_config={**shared, "image_size": 64, "patch_size": 16}, projection_dim=32)


def built(config, seed):
    model = randomise(BlipForConditionalGeneration(config), seed, gain=1.8, attention=2.5)
    with torch.no_grad():
        for layer in model.text_decoder.bert.encoder.layer:
            # Or what every step sees of the image would drown the words before.
            layer.crossattention.output.dense.weight *= 0.5
        head = model.text_decoder.cls.predictions
        head.bias[config.text_config.sep_token_id] += 2.0
        # The start and encoder tokens, padding and the other special ones are no words.
        for token in [config.text_config.bos_token_id, config.text_config.bos_token_id + 1, 0, 1, 2, 4]:
            head.bias[token] -= 40.0
    return model


def cases(model, tokenizer, pixels, settings_of=generation.SETTINGS):
    for prefix in [None, PREFIX]:
        given = {"pixel_values": pixels}
        start = [model.config.text_config.bos_token_id] + (tokenizer(prefix).input_ids[1:-1] if prefix else [])
        for name, settings in settings_of.items():
            if prefix:
                # `generate` overwrites the first token in the tensor that it is given.
                given["input_ids"] = torch.tensor([tokenizer(prefix).input_ids] * len(pixels))
            sequences, scores = generation.generated(lambda **rest: model.generate(**given, **rest), settings)
            yield {"name": name, "prefix": prefix, "startIds": start, "parameters": settings, "sequences": sequences, "scores": scores}


def complaints(model, tokenizer, pixels):
    return generation.complaint(lambda own, **only: cases(own, tokenizer, pixels, **only), model, tokenizer.sep_token_id)


def flat(cache):
    own, crossed = cache.self_attention_cache, cache.cross_attention_cache
    return [(own.layers[layer].keys, own.layers[layer].values, crossed.layers[layer].keys, crossed.layers[layer].values) for layer in range(LAYERS)]


def run_first(model, ids, states):
    cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
    answer = model.text_decoder(input_ids=ids, encoder_hidden_states=states, past_key_values=cache, use_cache=True)
    return [answer.logits, *(part for layer in flat(answer.past_key_values) for part in layer)]


def run_later(model, ids, *past):
    """The keys of the cross-attention are there already, so of the image's states only their number counts."""
    cache = EncoderDecoderCache.from_legacy_cache(tuple(tuple(past[4 * layer : 4 * layer + 4]) for layer in range(LAYERS)))
    states = past[2].transpose(1, 2).flatten(2)
    answer = model.text_decoder(input_ids=ids, encoder_hidden_states=states, past_key_values=cache, use_cache=True)
    return [answer.logits, *(part for layer in flat(answer.past_key_values) for part in layer[:2])]


def export_parts(model, path, pixels):
    with torch.no_grad():
        states = model.vision_model(pixels).last_hidden_state
        ids = torch.full((len(pixels), 3), 7)
        past = run_first(model, ids, states)[1:]
    image_tokens = {0: "batch_size", 1: "encoder_sequence_length"}
    export(path / "onnx/encoder_model.onnx", model, lambda own, values: [own.vision_model(values).last_hidden_state], {"pixel_values": (pixels, PIXELS)}, {"last_hidden_state": image_tokens})
    parts = ["decoder.key", "decoder.value", "encoder.key", "encoder.value"]
    text, logits = {0: "batch_size", 1: "decoder_sequence_length"}, {0: "batch_size", 1: "decoder_sequence_length"}
    lengths = lambda part, own: {0: "batch_size", 2: own if part.split(".")[1] == "decoder" else "encoder_sequence_length_out"}
    names = cache_names(LAYERS, parts)
    first_inputs = {"input_ids": (ids, text), "encoder_hidden_states": (states, image_tokens)}
    first_outputs = {"logits": logits, **{f"present.{name}": lengths(name, "past_decoder_sequence_length + sequence_length") for name in names}}
    later_inputs = {"input_ids": (ids[:, :1], text), **{f"past_key_values.{name}": (value, lengths(name, "past_decoder_sequence_length")) for name, value in zip(names, past)}}
    later_outputs = {name: axes for name, axes in first_outputs.items() if ".encoder." not in name}
    export_merged(path / "onnx/decoder_model_merged.onnx", model, (run_first, first_inputs, first_outputs), (run_later, later_inputs, later_outputs))


def make():
    path = folder(NAME)
    tokenizer = vocabularies.bert(path)
    processor = BlipImageProcessor(size={"height": 64, "width": 64})
    config = configuration(tokenizer)
    pixels = images.pixel_values(processor, [*inputs.SQUARE, inputs.WIDE])
    seed, model = first_seed(lambda number: built(config, number), lambda each: complaints(each, tokenizer, pixels), first=76)
    save_configuration(model, path)
    text = config.text_config
    GenerationConfig(bos_token_id=text.bos_token_id, eos_token_id=text.sep_token_id, pad_token_id=text.pad_token_id, max_length=20).save_pretrained(path)
    BlipProcessor(processor, tokenizer).save_pretrained(path)
    export_parts(model, path, pixels)
    golden = {"model": NAME, "seed": seed, "endId": text.sep_token_id, "padId": text.pad_token_id, "images": [*inputs.SQUARE, inputs.WIDE], "preprocessing": images.described(processor, path)}
    with torch.no_grad():
        golden["encoderFirst8"] = rounded(model.vision_model(pixels).last_hidden_state[:, 0, :8])
    golden["cases"] = []
    for case in cases(model, tokenizer, pixels):
        new = [generation.trimmed(each, len(case["startIds"]), text.sep_token_id) for each in case["sequences"]]
        golden["cases"].append({**case, "scores": rounded(case["scores"]), "texts": tokenizer.batch_decode(new, skip_special_tokens=True)})
    write_json(path / "goldens.json", golden)
