"""Captions as Python's own `generate` writes them, and what makes a model's captions fit to be compared with."""

import torch

from weights import disturbed

SETTINGS = {
    "greedy": {"num_beams": 1, "max_new_tokens": 14},
    "greedy, at most 4 new tokens": {"num_beams": 1, "max_new_tokens": 4},
    "3 beams": {"num_beams": 3, "max_new_tokens": 14},
    "3 beams, early stopping, long ones preferred": {"num_beams": 3, "max_new_tokens": 14, "early_stopping": True, "length_penalty": 2.0},
    "3 beams, short ones preferred": {"num_beams": 3, "max_new_tokens": 14, "length_penalty": -1.0},
    "3 beams, all returned": {"num_beams": 3, "max_new_tokens": 10, "num_return_sequences": 3},
}


def generated(generate, settings):
    """Token ids of every sequence, and with beams their scores (sum of log probabilities over length ** length_penalty)."""
    with torch.no_grad():
        answer = generate(**settings, do_sample=False, return_dict_in_generate=True, output_scores=True)
    return answer.sequences.tolist(), answer.sequences_scores.tolist() if settings["num_beams"] > 1 else None


def trimmed(sequence, start, end):
    """The new tokens up to the one that ends the text, which is left out."""
    new = sequence[start:]
    return new[: new.index(end)] if end in new else new


def complaint(cases, model, end):
    """Why this model's captions of different inputs would make poor test material, or None. `cases` makes them, of one model by given settings."""
    for case in cases(model, settings_of={"greedy": SETTINGS["greedy"]}):
        texts = [trimmed(each, len(case["startIds"]), end) for each in case["sequences"]]
        reason = poor(texts, [end in each[len(case["startIds"]) :] for each in case["sequences"]])
        if reason:
            return reason
    mine, theirs = cases(model, settings_of=SETTINGS), cases(disturbed(model), settings_of=SETTINGS)
    return None if all(own["sequences"] == other["sequences"] for own, other in zip(mine, theirs)) else "close calls"


def poor(texts, ended):
    if len({tuple(text) for text in texts}) < len(texts):
        return "two inputs, one answer"
    variety = [len(set(text)) / max(1, len(text)) for text in texts]
    if min(variety) < 0.25 or sum(variety) < 0.5 * len(texts) or min(len(text) for text in texts) < 2:
        return "repeats itself"
    if not any(ended):
        return "none ends"
    return None
