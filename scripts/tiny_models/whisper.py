"""whisper: speech recognition with the real special tokens, mel settings and windows of 30 s, and tiny layers."""

import numpy as np
import torch
from transformers import GenerationConfig, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperProcessor, pipeline

import inputs
import vocabularies
from common import folder, rounded, write_json
from sequence_export import export_sequence_model
from weights import disturbed, first_seed, randomise

NAME = "whisper"
NEW_TOKENS = 16
LONG = [inputs.CLIPS[number] for number in [0, 1, 2, 1, 0, 2, 2, 0, 1, 0, 1, 2, 1]]
PROMPTS = [
    {"language": "en", "task": "transcribe", "return_timestamps": False},
    {"language": "fr", "task": "translate", "return_timestamps": False},
    {"language": "en", "task": "transcribe", "return_timestamps": True},
]


def configuration(tokenizer):
    token = tokenizer.convert_tokens_to_ids
    end = tokenizer.eos_token_id
    return WhisperConfig(
        vocab_size=len(tokenizer),
        d_model=16,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        decoder_start_token_id=token("<|startoftranscript|>"),
        begin_suppress_tokens=[token("Ġ"), end],
    )


def generation_configuration(config, tokenizer):
    token = tokenizer.convert_tokens_to_ids
    languages = {text: number for text, number in tokenizer.get_added_vocab().items() if len(text) in (6, 7) and text[2:-2].isalpha() and number > token("<|startoftranscript|>")}
    first, last = token("<|startoftranscript|>"), token("<|nospeech|>")
    punctuation = [token(mark) for mark in ['"', "#", "(", ")", "*", "+", "/", ":", ";", "<", "=", ">", "@", "[", "]", "^", "_"]]
    return GenerationConfig(
        bos_token_id=config.bos_token_id,
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
        decoder_start_token_id=config.decoder_start_token_id,
        begin_suppress_tokens=config.begin_suppress_tokens,
        suppress_tokens=sorted([*punctuation, first, token("<|translate|>"), token("<|transcribe|>"), *range(token("<|startoflm|>"), last + 1)]),
        max_length=448,
        max_initial_timestamp_index=50,
        is_multilingual=True,
        lang_to_id=dict(sorted(languages.items(), key=lambda each: each[1])),
        task_to_id={"transcribe": token("<|transcribe|>"), "translate": token("<|translate|>")},
        no_timestamps_token_id=token("<|notimestamps|>"),
        prev_sot_token_id=token("<|startofprev|>"),
        alignment_heads=[[1, 0], [1, 1]],
        return_timestamps=False,
    )


def built(config, tokenizer, seed):
    model = WhisperForConditionalGeneration(config)
    positions = model.model.encoder.embed_positions.weight.detach().clone()
    randomise(model, seed, gain=1.6, attention=2.0, embedding=0.4)
    with torch.no_grad():
        model.model.encoder.embed_positions.weight.copy_(positions)
        # As in vit_gpt2.py.
        model.model.decoder.layer_norm.weight *= 2.5
        rows = model.model.decoder.embed_tokens.weight
        # 1501 timestamps and 99 languages would drown 400 tokens of text.
        rows[tokenizer.convert_tokens_to_ids("<|startoftranscript|>") :] *= 0.5
        rows[config.eos_token_id] *= 1.3
    model.generation_config = generation_configuration(config, tokenizer)
    return model


def features_of(extractor, samples, **options):
    return extractor(samples, sampling_rate=inputs.SAMPLE_RATE, return_tensors="pt", **options)


def short_cases(model, tokenizer, features):
    for prompt in PROMPTS:
        with torch.no_grad():
            sequences = model.generate(features, max_new_tokens=NEW_TOKENS, num_beams=1, do_sample=False, **prompt).tolist()
        yield {"parameters": {**prompt, "max_new_tokens": NEW_TOKENS}, "sequences": sequences, "texts": tokenizer.batch_decode(sequences, skip_special_tokens=True)}


def complaints(model, tokenizer, features):
    cases = []
    end, first_special = tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|startoftranscript|>")
    for case in short_cases(model, tokenizer, features):
        cases.append(case)
        if len({tuple(each) for each in case["sequences"]}) < len(case["sequences"]):
            return "two inputs, one answer"
        for sequence in case["sequences"]:
            text = [each for each in sequence if each < end]
            if len(text) < 3 or len(set(text)) < 0.34 * len(text):
                return "repeats itself"
            if not case["parameters"]["return_timestamps"] and any(each >= first_special for each in sequence[4:]):
                return "timestamps unasked"
    if cases[0]["sequences"] == cases[1]["sequences"]:
        return "language and task change nothing"
    stamps = [sum(each > tokenizer.convert_tokens_to_ids("<|notimestamps|>") for each in sequence) for sequence in cases[2]["sequences"]]
    if not any(count > 2 for count in stamps):
        return "no timestamps inside"
    theirs = short_cases(disturbed(model), tokenizer, features)
    return None if [case["sequences"] for case in cases] == [case["sequences"] for case in theirs] else "close calls"


def sequential(model, tokenizer, extractor, samples):
    """Long audio window after window, each beginning at the last timestamp of the one before."""
    long = features_of(extractor, samples, truncation=False, padding="longest", return_attention_mask=True)
    parameters = {"language": "en", "task": "transcribe", "return_timestamps": True, "max_new_tokens": NEW_TOKENS}
    with torch.no_grad():
        answer = model.generate(long["input_features"], attention_mask=long["attention_mask"], return_segments=True, do_sample=False, **parameters)
    segments = [{"start": rounded(float(each["start"])), "end": rounded(float(each["end"])), "tokens": each["tokens"].tolist()} for each in answer["segments"][0]]
    return {"frames": long["input_features"].shape[-1], "parameters": parameters, "segments": segments, "text": tokenizer.decode(answer["sequences"][0], skip_special_tokens=True)}


def by_length(model, tokenizer, extractor):
    """From nothing but a blink up to three windows and a bit; with timestamps and, where there is one window alone, without. Silence, too."""
    window = 30 * inputs.SAMPLE_RATE
    cases = [(samples, False) for samples in [1, 320, 197_440, window - 1, window, window + 160, 1_120_000, 1_320_000, 1_520_080]] + [(window, True), (window + 160_000, True)]
    for samples, is_silent in cases:
        sound = np.zeros(samples) if is_silent else inputs.tune(samples)
        is_long = samples > window
        options = {"truncation": False, "padding": "longest", "return_attention_mask": True} if is_long else {}
        read = features_of(extractor, (sound / 32768).astype(np.float32), **options)
        mask = {"attention_mask": read["attention_mask"]} if is_long else {}
        for stamped in [True] if is_long else [True, False]:
            parameters = {"language": "en", "task": "transcribe", "return_timestamps": stamped, "max_new_tokens": NEW_TOKENS}
            with torch.no_grad():
                answer = model.generate(read["input_features"], return_segments=True, do_sample=False, **mask, **parameters)
            segments = [{"start": rounded(float(each["start"])), "end": rounded(float(each["end"])), "tokens": each["tokens"].tolist()} for each in answer["segments"][0]]
            text = tokenizer.decode(answer["sequences"][0], skip_special_tokens=True)
            yield {"samples": samples, "isSilent": is_silent, "parameters": parameters, "segments": segments, "text": text}


def readings(tokenizer):
    """What transformers makes of one window's tokens: its segments, and how far it goes on."""
    first = tokenizer.convert_tokens_to_ids("<|0.00|>")
    chance = np.random.default_rng(17)
    for _ in range(300):
        tokens, time = [], 0
        for _ in range(int(chance.integers(1, 9))):
            kind = chance.choice(["text", "stamp", "pair"])
            if kind == "text":
                tokens += [int(each) for each in chance.integers(10, 90, chance.integers(1, 4))]
                continue
            time = min(1500, time + int(chance.integers(0, 200)))
            tokens += [first + time] * (2 if kind == "pair" else 1)
        frames = int(chance.integers(1, 3001))
        segments, onward = WhisperForConditionalGeneration._retrieve_segment(
            seek_sequence=torch.tensor(tokens),
            seek_outputs=[torch.tensor(tokens)],
            time_offset=torch.zeros(1, dtype=torch.float64),
            timestamp_begin=first,
            seek_num_frames=torch.tensor([frames]),
            time_precision=0.02,
            time_precision_features=0.01,
            input_stride=2,
            prev_idx=0,
            idx=0,
            return_token_timestamps=False,
            decoder_input_ids=torch.zeros((1, 0), dtype=torch.long),
        )
        told = [{"start": rounded(float(each["start"])), "end": rounded(float(each["end"])), "tokens": each["tokens"].tolist()} for each in segments]
        yield {"tokens": tokens, "frames": frames, "segments": told, "onward": int(onward)}


def chunked(model, tokenizer, extractor, samples):
    """Long audio in windows of 30 s that overlap by 5 s on each side, merged by the pipeline."""
    recognise = pipeline("automatic-speech-recognition", model=model, tokenizer=tokenizer, feature_extractor=extractor, device="cpu")
    for stamped in [False, True]:
        parameters = {"language": "en", "task": "transcribe", "max_new_tokens": NEW_TOKENS}
        answer = recognise(samples.copy(), chunk_length_s=30, stride_length_s=5, return_timestamps=stamped, generate_kwargs=parameters)
        yield {"chunkSeconds": 30, "strideSeconds": 5, "parameters": {**parameters, "return_timestamps": stamped}, "answer": answer}


def windows(model, extractor, samples):
    """What the windows of `chunked` say before they are merged."""
    for start in range(0, 60, 20):
        part = samples[start * inputs.SAMPLE_RATE : (start + 30) * inputs.SAMPLE_RATE]
        with torch.no_grad():
            sequence = model.generate(features_of(extractor, part)["input_features"], max_new_tokens=NEW_TOKENS, do_sample=False, **PROMPTS[0])
        yield {"startSeconds": start, "sequence": sequence[0].tolist()}


def described_features(features, names):
    """Every 4th bin of every 100th frame of the log-mel spectrogram, and the mean of everything."""
    return [
        {"clip": name, "shape": list(each.shape), "mean": rounded(float(each.mean())), "every4thBinOfEvery100thFrame": rounded(each[::4, ::100].tolist(), 6)}
        for name, each in zip(names, features.numpy().astype(np.float64))
    ]


def make():
    path = folder(NAME)
    tokenizer = vocabularies.whisper(path)
    extractor = WhisperFeatureExtractor(feature_size=80)
    config = configuration(tokenizer)
    features = features_of(extractor, [inputs.clip(name) for name in inputs.CLIPS])["input_features"]
    seed, model = first_seed(lambda number: built(config, tokenizer, number), lambda each: complaints(each, tokenizer, features), first=53)
    WhisperProcessor(extractor, tokenizer).save_pretrained(path)
    vocabularies.compact(path)
    export_sequence_model(model, path, "automatic-speech-recognition-with-past")
    samples = inputs.joined(LONG)
    with torch.no_grad():
        languages = model.detect_language(features).tolist()
        encoded = model.model.encoder(features).last_hidden_state
    golden = {
        "model": NAME,
        "seed": seed,
        "endId": config.eos_token_id,
        "sampleRate": inputs.SAMPLE_RATE,
        "clips": inputs.CLIPS,
        "logMel": described_features(features, inputs.CLIPS),
        "encoderEvery300thFirst8": rounded(encoded[:, ::300, :8]),
        "detectedLanguages": tokenizer.convert_ids_to_tokens(languages),
        "cases": list(short_cases(model, tokenizer, features)),
        "long": {"joined": LONG, "seconds": len(samples) / inputs.SAMPLE_RATE},
    }
    golden["long"]["sequential"] = sequential(model, tokenizer, extractor, samples)
    golden["long"]["windows"] = list(windows(model, extractor, samples))
    golden["long"]["chunked"] = list(chunked(model, tokenizer, extractor, samples))
    golden["byLength"] = list(by_length(model, tokenizer, extractor))
    golden["readings"] = {"firstTimestamp": tokenizer.convert_tokens_to_ids("<|0.00|>"), "cases": list(readings(tokenizer))}
    write_json(path / "goldens.json", golden)
