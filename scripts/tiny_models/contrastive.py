"""clip and siglip: an encoder of texts beside one of images, for zero-shot classification."""

import torch
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, SiglipConfig, SiglipImageProcessor, SiglipModel, SiglipProcessor

import images
import inputs
import vocabularies
from common import folder, rounded, write_json
from export import export, save_configuration
from weights import first_seed, randomise

CLASSES = ["circle", "stripe", "house", "photo of a cat", "Blue  Square!"]
TEXT_LAYERS = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
VISION_LAYERS = {**TEXT_LAYERS, "image_size": 64, "patch_size": 16}
IMAGES = [*inputs.SQUARE, inputs.WIDE]
TEXT, PIXELS = {0: "text_batch_size", 1: "sequence_length"}, {0: "image_batch_size", 1: "num_channels", 2: "height", 3: "width"}


def clip_configuration(tokenizer):
    text = {**TEXT_LAYERS, "vocab_size": len(tokenizer), "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    return CLIPConfig(text_config=text, vision_config=VISION_LAYERS, projection_dim=24)


def siglip_configuration(tokenizer):
    text = {**TEXT_LAYERS, "vocab_size": len(tokenizer), "max_position_embeddings": 64, "pad_token_id": 1, "bos_token_id": None, "eos_token_id": 1}
    return SiglipConfig(text_config=text, vision_config=VISION_LAYERS)


def outcomes(model, ids, mask, pixels, is_clip):
    with torch.no_grad():
        answer = model(input_ids=ids, pixel_values=pixels, attention_mask=mask if is_clip else None)
        text = model.get_text_features(input_ids=ids, attention_mask=mask if is_clip else None)
        image = model.get_image_features(pixel_values=pixels)
    scores = answer.logits_per_image.softmax(dim=1) if is_clip else answer.logits_per_image.sigmoid()
    return {"logits": answer.logits_per_image, "probabilities": scores, "textEmbeddings": text, "imageEmbeddings": image}


def complaints(outcome):
    """The images should differ in the order of the classes' probabilities, none of which is lost in rounding, and no two classes be the same."""
    scores = outcome["probabilities"]
    if len({tuple(row.argsort().tolist()) for row in scores}) < 2:
        return "images, one order"
    if (outcome["logits"][:, None] - outcome["logits"][None]).abs().amax(dim=2).add(torch.eye(len(scores))).min() < 0.1:
        return "two images alike"
    apart = (outcome["logits"][:, :, None] - outcome["logits"][:, None, :]).abs().amax(dim=0)
    if (apart + torch.eye(len(CLASSES))).min() < 0.1:
        return "two classes alike"
    if scores.min() < 0.005 or scores.max() > 0.95:
        return "one class takes all"
    return None


def export_parts(model, path, ids, mask, pixels, is_clip):
    text_inputs = {"input_ids": (ids, TEXT)}
    whole = {"input_ids": (ids, TEXT), "pixel_values": (pixels, PIXELS)}
    if is_clip:
        whole["attention_mask"] = (mask, TEXT)
    outputs = {
        "logits_per_image": {0: "image_batch_size", 1: "text_batch_size"},
        "logits_per_text": {0: "text_batch_size", 1: "image_batch_size"},
        "text_embeds": {0: "text_batch_size"},
        "image_embeds": {0: "image_batch_size"},
    }
    pick = lambda answer: [answer[name] for name in outputs]
    run = (lambda own, ids, pixels, mask: pick(own(input_ids=ids, pixel_values=pixels, attention_mask=mask))) if is_clip else (lambda own, ids, pixels: pick(own(input_ids=ids, pixel_values=pixels)))
    export(path / "onnx/model.onnx", model, run, whole, outputs)
    text, image = ("text_embeds", "image_embeds") if is_clip else ("pooler_output", "pooler_output")
    state = {0: "batch_size", 1: "sequence_length"}
    if is_clip:
        run_text = lambda own, ids: [own.text_projection(own.text_model(input_ids=ids).pooler_output)]
        run_vision = lambda own, pixels: [own.visual_projection(own.vision_model(pixel_values=pixels).pooler_output)]
        outputs_text, outputs_image = {text: {0: "text_batch_size"}}, {image: {0: "image_batch_size"}}
    else:
        both = lambda answer: [answer.last_hidden_state, answer.pooler_output]
        run_text = lambda own, ids: both(own.text_model(input_ids=ids))
        run_vision = lambda own, pixels: both(own.vision_model(pixel_values=pixels))
        outputs_text, outputs_image = {"last_hidden_state": state, text: {0: "batch_size"}}, {"last_hidden_state": {0: "batch_size"}, image: {0: "batch_size"}}
    export(path / "onnx/text_model.onnx", model, run_text, text_inputs, outputs_text)
    export(path / "onnx/vision_model.onnx", model, run_vision, {"pixel_values": (pixels, PIXELS)}, outputs_image)


def make_one(name, tokenizer, processor, joint, build, template, padding):
    path = joint["path"]
    is_clip = name == "clip"
    texts = [template.format(each) for each in CLASSES]
    tokens = tokenizer(texts, padding=padding, truncation=True, return_tensors="pt")
    ids = tokens["input_ids"]
    mask = torch.ones_like(ids) if "attention_mask" not in tokens else tokens["attention_mask"]
    pixels = images.pixel_values(processor, IMAGES)
    of = lambda model: outcomes(model, ids, mask, pixels, is_clip)
    seed, model = first_seed(build, lambda model: complaints(of(model)))
    save_configuration(model, path)
    joint["processor"].save_pretrained(path)
    if is_clip:
        tokenizer.save_pretrained(path)
    export_parts(model, path, ids, mask, pixels, is_clip)
    golden = {"model": name, "seed": seed, "images": IMAGES, "classes": CLASSES, "hypothesisTemplate": template, "padding": padding, "tokenIds": ids.tolist()}
    golden["preprocessing"] = images.described(processor, path)
    write_json(path / "goldens.json", {**golden, **{key: rounded(value) for key, value in of(model).items()}})


def make_clip():
    path = folder("clip")
    tokenizer = vocabularies.clip(path)
    processor = CLIPImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64})
    config = clip_configuration(tokenizer)
    build = lambda seed: randomise(CLIPModel(config), seed, gain=1.5, attention=1.2)
    make_one("clip", tokenizer, processor, {"path": path, "processor": CLIPProcessor(processor, tokenizer)}, build, "This is a photo of {}.", True)


def built_siglip(config, seed):
    model = randomise(SiglipModel(config), seed, gain=1.5, attention=1.2)
    with torch.no_grad():
        model.logit_scale.fill_(2.0)
        model.logit_bias.fill_(-1.0)
    return model


def make_siglip():
    path = folder("siglip")
    tokenizer = vocabularies.siglip(path)
    processor = SiglipImageProcessor(size={"height": 64, "width": 64})
    config = siglip_configuration(tokenizer)
    make_one("siglip", tokenizer, processor, {"path": path, "processor": SiglipProcessor(processor, tokenizer)}, lambda seed: built_siglip(config, seed), "This is a photo of {}.", "max_length")
