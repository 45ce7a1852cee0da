"""vit-gpt2: an image captioner (VisionEncoderDecoder of ViT and GPT-2)."""

import torch
from transformers import GenerationConfig, GPT2Config, ViTConfig, ViTImageProcessor, VisionEncoderDecoderConfig, VisionEncoderDecoderModel

import generation
import images
import inputs
import vocabularies
from common import folder, rounded, write_json
from sequence_export import export_sequence_model
from weights import first_seed, randomise

NAME = "vit-gpt2"
PREFIX = "a photo of"


def configuration(tokenizer):
    encoder = ViTConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=64, patch_size=8)
    end = tokenizer.eos_token_id
    decoder = GPT2Config(vocab_size=len(tokenizer), n_positions=64, n_embd=32, n_layer=2, n_head=2, bos_token_id=end, eos_token_id=end, add_cross_attention=True, is_decoder=True)
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id = config.pad_token_id = config.eos_token_id = config.bos_token_id = end
    config.vocab_size = len(tokenizer)
    return config


def built(config, seed):
    model = randomise(VisionEncoderDecoderModel(config), seed, gain=1.6, attention=2.0, embedding=0.4)
    with torch.no_grad():
        # Small embeddings and a large last scale: a token that is put in does not call for itself again.
        model.decoder.transformer.ln_f.weight *= 2.5
        model.decoder.transformer.wte.weight[config.eos_token_id] *= 1.4
    end = config.eos_token_id
    model.generation_config = GenerationConfig(bos_token_id=end, eos_token_id=end, pad_token_id=end, decoder_start_token_id=end, max_length=16)
    return model


def cases(model, tokenizer, pixels, settings_of=generation.SETTINGS):
    """Every setting without and with a prefix; the start token stands before the prefix, and neither belongs to the answer."""
    start = model.config.decoder_start_token_id
    for prefix in [None, PREFIX]:
        ids = [start] + (tokenizer(prefix).input_ids if prefix else [])
        for name, settings in settings_of.items():
            given = {"pixel_values": pixels, "decoder_input_ids": torch.tensor([ids] * len(pixels))}
            sequences, scores = generation.generated(lambda **rest: model.generate(**given, **rest), settings)
            yield {"name": name, "prefix": prefix, "startIds": ids, "parameters": settings, "sequences": sequences, "scores": scores}


def complaints(model, tokenizer, pixels):
    return generation.complaint(lambda own, **only: cases(own, tokenizer, pixels, **only), model, tokenizer.eos_token_id)


def make():
    path = folder(NAME)
    tokenizer = vocabularies.gpt2(path)
    processor = ViTImageProcessor(size={"height": 64, "width": 64})
    config = configuration(tokenizer)
    pixels = images.pixel_values(processor, [*inputs.SQUARE, inputs.WIDE])
    seed, model = first_seed(lambda number: built(config, number), lambda each: complaints(each, tokenizer, pixels), first=42)
    tokenizer.save_pretrained(path)
    processor.save_pretrained(path)
    export_sequence_model(model, path, "image-to-text-with-past")
    golden = {"model": NAME, "seed": seed, "endId": config.eos_token_id, "padId": config.pad_token_id, "images": [*inputs.SQUARE, inputs.WIDE], "preprocessing": images.described(processor, path)}
    golden["encoderFirst8"] = rounded(model.encoder(pixels).last_hidden_state[:, 0, :8].detach())
    golden["cases"] = []
    for case in cases(model, tokenizer, pixels):
        new = [generation.trimmed(each, len(case["startIds"]), config.eos_token_id) for each in case["sequences"]]
        golden["cases"].append({**case, "scores": rounded(case["scores"]), "texts": tokenizer.batch_decode(new, skip_special_tokens=True)})
    write_json(path / "goldens.json", golden)
