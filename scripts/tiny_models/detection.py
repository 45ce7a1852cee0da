"""owlvit (zero-shot object detection) and detr (object detection)."""

import torch
from transformers import (
    DetrConfig,
    DetrForObjectDetection,
    DetrImageProcessor,
    OwlViTConfig,
    OwlViTForObjectDetection,
    OwlViTImageProcessor,
    OwlViTProcessor,
    ResNetConfig,
    pipeline,
)

import images
import inputs
import vocabularies
from common import folder, rounded, write_json
from export import export, save_configuration
from weights import first_seed, randomise

IMAGES = [*inputs.SQUARE, inputs.WIDE]
CLASSES = ["circle", "red stripe", "photo of a cat"]
LAYERS = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
LABELS = ["person", "bicycle", "car", "bird", "cat", "dog", "boat", "bench"]
PIXELS = {0: "batch_size", 1: "num_channels", 2: "height", 3: "width"}
QUERIES = {0: "batch_size", 1: "num_queries"}


def complaint(found, thresholds, scores):
    """A few boxes an image, at most one image without, more than one label, and no score so near a threshold that rounding decides."""
    counts = [len(boxes) for boxes in found]
    if sum(count == 0 for count in counts) > 1 or max(counts) > 9 or len(set(counts)) < 3:
        return f"{counts} boxes"
    if not any(len({box["label"] for box in boxes}) > 1 for boxes in found):
        return "one label an image"
    if min((scores - threshold).abs().min() for threshold in thresholds) < 1e-4:
        return "close calls"
    return None


def compared(detect, names, **options):
    """Boxes as the pipeline gives them: whole pixels of the original image, cut off, highest score first."""
    return [{"image": name, "boxes": rounded_boxes(detect(inputs.image(name), **options))} for name in names]


def rounded_boxes(boxes):
    return [{"score": rounded(float(each["score"])), "label": each["label"], "box": each["box"]} for each in boxes]


def owlvit_configuration(tokenizer):
    text = {**LAYERS, "vocab_size": len(tokenizer), "max_position_embeddings": 16, "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": 0}
    return OwlViTConfig(text_config=text, vision_config={**LAYERS, "image_size": 64, "patch_size": 16}, projection_dim=32)


def owlvit_answers(model, tokenizer, processor):
    """Every image alone with all classes at once."""
    tokens = tokenizer(CLASSES, padding=True, truncation=True, return_tensors="pt")
    for name in IMAGES:
        with torch.no_grad():
            yield model(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"], pixel_values=images.pixel_values(processor, [name]))


OWLVIT_THRESHOLD = 0.8


def owlvit_complaints(model, tokenizer, processor):
    answers = list(owlvit_answers(model, tokenizer, processor))
    scores = torch.cat([answer.logits.sigmoid() for answer in answers])
    found = [[{"label": label} for label in (row > OWLVIT_THRESHOLD).nonzero()[:, 1].tolist()] for row in scores]
    return complaint(found, [OWLVIT_THRESHOLD], scores)


def make_owlvit():
    path = folder("owlvit")
    tokenizer = vocabularies.clip(path, pad="!")
    tokenizer.model_max_length = 16
    processor = OwlViTImageProcessor(size={"height": 64, "width": 64}, do_center_crop=False)
    config = owlvit_configuration(tokenizer)
    build = lambda seed: randomise(OwlViTForObjectDetection(config), seed, gain=1.5, attention=2.0)
    seed, model = first_seed(build, lambda each: owlvit_complaints(each, tokenizer, processor), first=46)
    save_configuration(model, path)
    OwlViTProcessor(processor, tokenizer).save_pretrained(path)
    tokens = tokenizer(CLASSES, padding=True, return_tensors="pt")
    text = {0: "text_batch_size", 1: "sequence_length"}
    given = {
        "input_ids": (tokens["input_ids"], text),
        "pixel_values": (images.pixel_values(processor, IMAGES[:1]), PIXELS),
        "attention_mask": (tokens["attention_mask"], text),
    }
    outputs = {
        "logits": {0: "image_batch_size", 1: "num_boxes", 2: "num_labels"},
        "pred_boxes": {0: "image_batch_size", 1: "num_boxes"},
        "text_embeds": {0: "image_batch_size", 1: "num_labels"},
        "image_embeds": {0: "image_batch_size"},
    }
    run = lambda own, ids, pixels, mask: [own(input_ids=ids, pixel_values=pixels, attention_mask=mask)[name] for name in outputs]
    export(path / "onnx/model.onnx", model, run, given, outputs)
    detect = pipeline("zero-shot-object-detection", model=model, tokenizer=tokenizer, image_processor=processor, device="cpu")
    golden = {"model": "owlvit", "seed": seed, "classes": CLASSES, "threshold": OWLVIT_THRESHOLD, "tokenIds": tokens["input_ids"].tolist()}
    golden["preprocessing"] = images.described(processor, path)
    golden["detections"] = compared(detect, IMAGES, candidate_labels=CLASSES, threshold=OWLVIT_THRESHOLD)
    golden["raw"] = [{"logits": rounded(answer.logits[0]), "boxes": rounded(answer.pred_boxes[0])} for answer in owlvit_answers(model, tokenizer, processor)]
    write_json(path / "goldens.json", golden)


DETR_THRESHOLD = 0.5
DETR_LOW_THRESHOLD = 0.2


def detr_configuration():
    backbone = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16, 16, 32], depths=[1, 1, 1, 1], layer_type="bottleneck", out_features=["stage4"])
    names = dict(enumerate(LABELS))
    return DetrConfig(
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config=backbone,
        num_queries=12,
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        id2label=names,
        label2id={label: number for number, label in names.items()},
    )


def detr_answer(model, processor, name):
    given = processor([inputs.image(name)], return_tensors="pt")
    with torch.no_grad():
        return model(pixel_values=given["pixel_values"], pixel_mask=given["pixel_mask"])


def detr_complaints(model, processor):
    answers = [detr_answer(model, processor, name) for name in IMAGES]
    scores, labels = torch.cat([answer.logits.softmax(dim=-1) for answer in answers])[..., :-1].max(dim=-1)
    found = [[{"label": label} for label in row_labels[row > DETR_THRESHOLD].tolist()] for row, row_labels in zip(scores, labels)]
    return complaint(found, [DETR_THRESHOLD, DETR_LOW_THRESHOLD], scores)


def make_detr():
    path = folder("detr")
    processor = DetrImageProcessor(size={"shortest_edge": 64, "longest_edge": 128})
    config = detr_configuration()
    build = lambda seed: randomise(DetrForObjectDetection(config), seed, gain=1.6, attention=2.5)
    seed, model = first_seed(build, lambda each: detr_complaints(each, processor), first=38)
    save_configuration(model, path)
    processor.save_pretrained(path)
    example = processor([inputs.image(inputs.WIDE)], return_tensors="pt")
    given = {
        "pixel_values": (example["pixel_values"], PIXELS),
        "pixel_mask": (example["pixel_mask"], {0: "batch_size", 1: "mask_height", 2: "mask_width"}),
    }
    run = lambda own, pixels, mask: [own(pixel_values=pixels, pixel_mask=mask)[name] for name in ["logits", "pred_boxes"]]
    export(path / "onnx/model.onnx", model, run, given, {"logits": QUERIES, "pred_boxes": QUERIES})
    detect = pipeline("object-detection", model=model, image_processor=processor, device="cpu")
    golden = {"model": "detr", "seed": seed, "threshold": DETR_THRESHOLD, "lowThreshold": DETR_LOW_THRESHOLD, "preprocessing": images.described(processor, path)}
    golden["detections"] = compared(detect, IMAGES, threshold=DETR_THRESHOLD)
    golden["detectionsAtLowThreshold"] = compared(detect, IMAGES, threshold=DETR_LOW_THRESHOLD)
    answers = [detr_answer(model, processor, name) for name in IMAGES]
    golden["raw"] = [{"logits": rounded(answer.logits[0]), "boxes": rounded(answer.pred_boxes[0])} for answer in answers]
    write_json(path / "goldens.json", golden)
