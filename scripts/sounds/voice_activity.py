"""What Silero's network, run by onnxruntime in Python, says of recordings, and what segments its published rules make of that.

    python scripts/sounds/voice_activity.py MODEL.onnx RECORDING.wav ... > test/examples/voice-activity.golden.json

The rules are those of get_speech_timestamps of silero-vad 6 at its defaults, without a longest speech. Beside the recordings there are drawn
probabilities, among which there are lapses of all lengths.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile

from resampling import RATE, resampled

CHUNK = 512
CONTEXT = 64


def probabilities(session, samples):
    filled = np.pad(samples, (CONTEXT, -len(samples) % CHUNK)).astype(np.float32)
    state = np.zeros((2, 1, 128), dtype=np.float32)
    found = []
    for start in range(0, len(filled) - CONTEXT, CHUNK):
        feeds = {"input": filled[None, start : start + CONTEXT + CHUNK], "state": state, "sr": np.array(RATE, dtype=np.int64)}
        output, state = session.run(["output", "stateN"], feeds)
        found.append(float(output[0, 0]))
    return found


def timestamps(found, length):
    triggered, candidate, speech, speeches = False, 0, {}, []
    for number, probability in enumerate(found):
        now = CHUNK * number
        if probability >= 0.5 and candidate:
            candidate = 0
        if probability >= 0.5 and not triggered:
            triggered, speech = True, {"start": now}
            continue
        if probability < 0.35 and triggered:
            candidate = candidate or now
            if now - candidate >= RATE * 100 / 1000:
                speech["end"] = candidate
                if speech["end"] - speech["start"] > RATE * 250 / 1000:
                    speeches.append(speech)
                triggered, candidate, speech = False, 0, {}
    if speech and length - speech["start"] > RATE * 250 / 1000:
        speeches.append({**speech, "end": length})
    pad = RATE * 30 / 1000
    for number, speech in enumerate(speeches):
        if number == 0:
            speech["start"] = int(max(0, speech["start"] - pad))
        if number == len(speeches) - 1:
            speech["end"] = int(min(length, speech["end"] + pad))
            continue
        following = speeches[number + 1]
        silence = following["start"] - speech["end"]
        share = silence // 2 if silence < 2 * pad else pad
        speech["end"] = int(min(length, speech["end"] + share))
        following["start"] = int(max(0, following["start"] - share))
    return speeches


def drawn_cases():
    chance = np.random.default_rng(7)
    for _ in range(60):
        count = int(chance.integers(2, 30))
        levels = np.repeat(chance.choice([0.05, 0.3, 0.4, 0.6, 0.95], count), chance.integers(1, 15, count))
        found = [round(float(each), 2) for each in np.clip(levels + chance.normal(0, 0.03, levels.size), 0, 1)]
        length = CHUNK * len(found) - int(chance.integers(0, CHUNK))
        yield {"probabilities": found, "samples": length, "segments": timestamps(found, length)}


def main():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(sys.argv[1], options)
    recordings = []
    for path in sys.argv[2:]:
        heard, rate = soundfile.read(path, dtype="float64")
        samples = resampled(heard, rate)
        found = probabilities(session, samples)
        segments = timestamps(found, len(samples))
        recordings.append({"recording": Path(path).name, "samples": len(samples), "probabilities": [round(each, 5) for each in found], "segments": segments})
    json.dump({"recordings": recordings, "drawn": list(drawn_cases())}, sys.stdout, separators=(",", ":"))
    print()


if __name__ == "__main__":
    main()
