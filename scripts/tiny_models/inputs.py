"""The images and the sounds that the models are tried with. All are drawn from formulas and seeded noise."""

import wave

import numpy as np
from PIL import Image

from common import INPUTS

SAMPLE_RATE = 16_000
CLIP_SECONDS = 5
# Square ones have the size that the models of images take, so nothing is resized; `wide` is resized by all of them.
SQUARE = ["circles.png", "stripes.png", "blocks.png"]
WIDE = "wide.png"
SCENE = "scene.png"
CLIPS = ["chirps.wav", "melody.wav", "bursts.wav"]


def circles(size):
    y, x = np.mgrid[0:size, 0:size]
    pixels = np.stack([40 + 2 * x, 200 - 2 * y, 90 + 0 * x], axis=-1).astype(np.float64)
    for row, column, radius, colour in [(18, 20, 12, (250, 60, 30)), (42, 44, 15, (20, 40, 240)), (50, 12, 8, (250, 240, 20))]:
        pixels[(y - row) ** 2 + (x - column) ** 2 < radius**2] = colour
    return pixels


def stripes(size):
    y, x = np.mgrid[0:size, 0:size]
    wave_of = lambda direction, phase: 127 + 120 * np.sin(direction * 0.55 + phase)
    return np.stack([wave_of(x + y, 0), wave_of(x - 0.5 * y, 1), wave_of(0.3 * x + y, 2)], axis=-1)


def blocks(size):
    chance = np.random.default_rng(5)
    small = chance.integers(0, 256, size=(size // 8, size // 8, 3))
    return np.kron(small, np.ones((8, 8, 1)))


def wide(width, height):
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    pixels = np.stack([255 * x / width, 255 * y / height, 127 + 100 * np.sin(x / 7) * np.cos(y / 9)], axis=-1)
    pixels[height // 3 : height // 2, width // 4 : width // 2] = (240, 230, 30)
    pixels[(y - height * 0.6) ** 2 + (x - width * 0.75) ** 2 < (height * 0.2) ** 2] = (30, 20, 60)
    return pixels


def scene(size):
    y, x = np.mgrid[0:size, 0:size].astype(np.float64)
    pixels = np.stack([90 + 0.3 * y, 150 - 0.2 * x, 220 - 0.5 * y], axis=-1)
    pixels[y > size * 0.65] = (60, 140, 50)
    pixels[(y - 60) ** 2 + (x - 180) ** 2 < 900] = (255, 230, 80)
    pixels[150:210, 40:120] = (150, 70, 40)
    return pixels


def tone(frequency, amplitude):
    return amplitude * np.sin(2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE)


def chirps():
    seconds = np.arange(CLIP_SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    return tone(200 + 1500 * (seconds % 1.25), 0.4) + tone(3000 - 400 * seconds, 0.1)


def melody():
    notes = np.repeat([262, 330, 392, 523, 440, 349, 294, 494, 247, 370], CLIP_SECONDS * SAMPLE_RATE // 10)
    envelope = np.tile(np.exp(-np.arange(SAMPLE_RATE // 2) / 3000), 10)
    return (tone(notes, 0.4) + tone(2 * notes, 0.2)) * envelope


def bursts():
    chance = np.random.default_rng(11)
    noise = chance.normal(size=CLIP_SECONDS * SAMPLE_RATE)
    gate = np.repeat(chance.random(20) > 0.5, CLIP_SECONDS * SAMPLE_RATE // 20)
    return 0.15 * noise * gate + tone(np.full(noise.size, 660.0), 0.05)


def tune(samples):
    """A sound of any length, which tests make by the same formula: notes over a second voice that rises every three seconds. 16-bit numbers."""
    number = np.arange(samples)
    note = np.array([262, 330, 392, 523, 440, 349, 294, 494, 247, 370])[number // 7000 % 10]
    high = 300 + 40 * (number // 48_000)
    second = number / SAMPLE_RATE
    sound = 0.4 * np.sin(2 * np.pi * note * second) * np.exp(-(number % 7000) / 2500) + 0.1 * np.sin(2 * np.pi * high * second)
    return np.floor(sound * 32767 + 0.5)


def save_image(name, pixels):
    Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8)).save(INPUTS / name, optimize=True)


def save_clip(name, samples):
    with wave.open(str(INPUTS / name), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((samples * 32767).round().clip(-32768, 32767).astype("<i2").tobytes())


def make():
    INPUTS.mkdir(parents=True, exist_ok=True)
    for name, pixels in zip(SQUARE, [circles(64), stripes(64), blocks(64)]):
        save_image(name, pixels)
    save_image(WIDE, wide(150, 100))
    save_image(SCENE, scene(240))
    for name, samples in zip(CLIPS, [chirps(), melody(), bursts()]):
        save_clip(name, samples)


def image(name):
    return Image.open(INPUTS / name).convert("RGB")


def clip(name):
    """Samples in -1..1, as float32: the 16-bit value over 32768."""
    with wave.open(str(INPUTS / name), "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float32) / 32768


def joined(names):
    return np.concatenate([clip(name) for name in names])
