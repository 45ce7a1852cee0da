"""Makes the sounds that decoders are tried with, and what Python's soundfile (libsndfile) makes of them.

    python scripts/sounds/make.py

Writes test/models/preprocessing/audio/sounds: files of at most 30 KB, drawn from formulas and seeded noise, and goldens.json. Encoders write serial
numbers and their own versions, so files made again differ; their goldens are made with them.
"""

import base64
import io
import json
import struct
from pathlib import Path

import numpy as np
import soundfile
import soxr

from resampling import RATE, resampled

SOUNDS = Path(__file__).resolve().parents[2] / "test/models/preprocessing/audio/sounds"
BYTES_MAX = 30_000
# Of the samples at 16 kHz every so many are in the goldens.
STEP = 61
# And of resampled ones.
RESAMPLED_STEP = 3


def sweep(rate, seconds, channels=1, highest=None, seed=1, noise=0.02):
    """A tone that rises up to 0.4 of the rate (or to `highest`), and quiet noise; channels differ in phase, loudness and noise."""
    chance = np.random.default_rng(seed)
    time = np.arange(round(rate * seconds)) / rate
    highest = highest or min(0.4 * rate, 6_000)
    phase = 2 * np.pi * (100 * time + (highest - 100) * time**2 / (2 * seconds))
    made = [(0.6 - 0.1 * number) * np.sin(phase + number) + noise * chance.normal(size=time.size) for number in range(channels)]
    return np.stack(made, axis=-1)


def encoded(samples, rate, container, subtype, **options):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype, **options)
    return file.getvalue()


def id3_tag(size):
    lengths = bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x04\x00\x00" + lengths + b"TIT2" + bytes(size - 4)


def old_tag():
    return b"TAG" + b"a title".ljust(30, b"\0") + bytes(95)


def made_files():
    wave = lambda rate, seconds, channels, subtype, container="WAV": encoded(sweep(rate, seconds, channels), rate, container, subtype)
    yield "integers-8.wav", wave(8_000, 1, 1, "PCM_U8")
    yield "integers-16.wav", wave(44_100, 0.12, 2, "PCM_16")
    yield "integers-24.wav", wave(48_000, 0.2, 1, "PCM_24")
    yield "integers-32.wav", wave(22_050, 0.1, 3, "PCM_32")
    yield "floats-32.wav", wave(32_000, 0.1, 2, "FLOAT")
    yield "floats-64.wav", wave(11_025, 0.3, 1, "DOUBLE")
    yield "extensible-16.wav", wave(24_000, 0.09, 6, "PCM_16", "WAVEX")
    yield "extensible-floats.wav", wave(96_000, 0.03, 2, "FLOAT", "WAVEX")
    yield "rate-44101.wav", wave(44_101, 0.2, 1, "PCM_16")
    mp3 = lambda rate, seconds, channels, **options: encoded(sweep(rate, seconds, channels), rate, "MP3", "MPEG_LAYER_III", **options)
    yield "stereo.mp3", mp3(44_100, 1, 2, bitrate_mode="CONSTANT", compression_level=0.8)
    yield "mono.mp3", mp3(16_000, 1, 1, bitrate_mode="CONSTANT", compression_level=0.7)
    yield "variable.mp3", mp3(48_000, 1, 1, bitrate_mode="VARIABLE", compression_level=0.7)
    yield "low-rate.mp3", mp3(8_000, 1, 1, bitrate_mode="CONSTANT", compression_level=0.7)
    yield "tagged.mp3", id3_tag(700) + bytes(100) + mp3(22_050, 0.7, 2, bitrate_mode="VARIABLE", compression_level=0.8) + old_tag()
    flac = lambda rate, seconds, channels, subtype: encoded(sweep(rate, seconds, channels), rate, "FLAC", subtype)
    yield "integers-8.flac", flac(16_000, 0.5, 1, "PCM_S8")
    yield "integers-16.flac", flac(44_100, 0.2, 2, "PCM_16")
    yield "integers-24.flac", flac(48_000, 0.2, 1, "PCM_24")
    yield "rate-12345.flac", id3_tag(50) + flac(12_345, 0.3, 1, "PCM_16") + old_tag()
    vorbis = lambda rate, seconds, channels, seed=1: encoded(sweep(rate, seconds, channels, seed=seed), rate, "OGG", "VORBIS")
    yield "stereo.vorbis.ogg", vorbis(44_100, 1, 2)
    yield "mono.vorbis.ogg", vorbis(16_000, 1, 1)
    opus = lambda rate, seconds, channels: encoded(sweep(rate, seconds, channels), rate, "OGG", "OPUS")
    # libsndfile decodes Opus at the rate that was recorded; everybody else, and what is tested here, at 48,000.
    yield "mono.opus.ogg", opus(48_000, 1, 1)
    yield "stereo.opus.ogg", opus(48_000, 0.75, 2)


def without_tags(data):
    """What is around a sound; libsndfile refuses zeros behind a tag."""
    for tag in (id3_tag(700) + bytes(100), id3_tag(50)):
        data = data.removeprefix(tag)
    return data.removesuffix(old_tag())


def read(data):
    """Mixed down to the mean, as float64; the rate; how many channels there were."""
    samples, rate = soundfile.read(io.BytesIO(without_tags(data)), dtype="float64", always_2d=True)
    return samples.mean(axis=1), rate, samples.shape[1]


def packed(values):
    return base64.b64encode(np.asarray(values, dtype="<f4").tobytes()).decode()


def described(parts):
    """Of streams one behind the other, each resampled by itself."""
    heard = [read(data) for data in parts]
    whole = np.concatenate([resampled(samples, rate) for samples, rate, _ in heard])
    return {
        "channels": heard[0][2],
        "rate": heard[0][1],
        "samples": sum(len(samples) for samples, _, _ in heard),
        "samples16k": len(whole),
        "meanSquare": float(f"{np.mean(whole**2):.8g}"),
        "everySo": packed(whole[::STEP]),
    }


def soxr_cases():
    """Resampling by somebody else: below 0.85 of half of the lower rate, everybody should hear the same."""
    for rate in [8_000, 11_025, 22_050, 44_100, 48_000]:
        samples = sweep(rate, 0.06, highest=0.4 * min(rate, RATE), noise=0)[:, 0]
        fades = np.sin(np.pi / 2 * np.minimum(1, np.minimum(np.arange(samples.size), np.arange(samples.size)[::-1]) / (0.02 * rate))) ** 2
        numbers = np.round(samples * fades * 32_767).astype("<i2")
        other = soxr.resample(numbers / 32_768, rate, RATE, quality="VHQ")
        kaiser = resampled(numbers / 32_768, rate)
        assert len(other) in (len(kaiser), len(kaiser) - 1)
        yield {"rate": rate, "input": base64.b64encode(numbers.tobytes()).decode(), "samples": len(kaiser), "soxr": packed(other[::RESAMPLED_STEP]), "kaiserBest": packed(kaiser[::RESAMPLED_STEP])}


def main():
    SOUNDS.mkdir(parents=True, exist_ok=True)
    for file in SOUNDS.iterdir():
        file.unlink()
    files = {name: [data] for name, data in made_files()}
    files["chained.vorbis.ogg"] = [encoded(sweep(rate, 0.5, 1, seed=rate), rate, "OGG", "VORBIS") for rate in (22_050, 16_000)]
    files["chained.mixed.ogg"] = [files["mono.opus.ogg"][0], files["mono.vorbis.ogg"][0]]
    goldens = {}
    for name, parts in files.items():
        data = b"".join(parts)
        assert len(data) <= BYTES_MAX, (name, len(data))
        (SOUNDS / name).write_bytes(data)
        goldens[name] = described(parts)
    golden = {"step": STEP, "resampledStep": RESAMPLED_STEP, "libsndfile": soundfile.__libsndfile_version__, "sounds": goldens, "resampling": list(soxr_cases())}
    (SOUNDS / "goldens.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
